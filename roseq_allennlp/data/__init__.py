"""Files to instances. What is registered is in `components`; other modules are imported by themselves, as scoring needs them."""
