"""Taggers behind HTTP: an application of FastAPI. Needs the extra `serve`; nothing else of the package imports it."""
