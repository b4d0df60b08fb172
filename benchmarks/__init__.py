"""Side by side with other systems: see README.md."""
