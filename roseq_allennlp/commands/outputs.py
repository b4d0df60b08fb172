"""Where commands write."""

import os
from pathlib import Path

from roseq_allennlp.errors import ConfigurationError


def prepared(path: str) -> str:
    """
    The path of a file that is to be written. Its directory is made if it does not exist.

    # Raises

    `ConfigurationError`, before the work begins: it is a directory, or cannot be written.
    """
    directory = Path(path).absolute().parent
    if Path(path).is_dir():
        raise ConfigurationError(f"{path}: is a directory. Give the name of a file.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: its directory cannot be made ({error.strerror or error}). Choose another place."
        ) from error
    if not os.access(directory, os.W_OK):
        raise ConfigurationError(f"{path}: its directory cannot be written to. Choose another place.")
    return path
