"""The commands: what they take is in `parsers`, quick to import; what they do is in the module of their name."""
