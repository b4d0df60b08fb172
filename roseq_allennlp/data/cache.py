"""AllenNLP's cache of files from elsewhere, without importing AllenNLP."""

import os
import sys
from os import PathLike
from pathlib import Path
from typing import Union


def cache_directory() -> str:
    """`$ALLENNLP_CACHE_ROOT/cache`, or `~/.allennlp/cache`; or another that has been set in AllenNLP."""
    file_utils = sys.modules.get("allennlp.common.file_utils")
    root = os.environ.get("ALLENNLP_CACHE_ROOT", Path.home() / ".allennlp")
    return str(file_utils.CACHE_DIRECTORY) if file_utils else str(Path(root) / "cache")


def cached_path(path: Union[str, PathLike]) -> str:
    """
    Where a file is; one of an address, or of `corpus://…`, is fetched into the cache first where it is not there.

    # Raises

    `FileNotFoundError`: there is no such file. Other errors of the package `cached_path`, of what cannot be fetched.
    """
    local = Path(path).expanduser()
    if local.exists():
        return str(local)
    import cached_path as package  # with all its clients it takes most of a second, which local files need not wait

    import roseq_allennlp.data.corpus_client  # noqa: F401  registers `corpus://`, and how files are fetched over HTTP

    return str(package.cached_path(path, cache_dir=cache_directory()))
