"""The tagger inside other libraries."""
