"""
Taggers behind HTTP: an application of FastAPI. Needs the extra `serve`; nothing else of the package imports it. Its name begins
with `_`, as `--include-package roseq_allennlp` imports all modules of other names, also where the extra is not installed.
"""
