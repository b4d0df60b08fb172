"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Union

import torch


@contextlib.contextmanager
def replacing(path: Union[str, PathLike]) -> Iterator[Path]:
    """
    Gives a temporary path in the same directory; what is written there takes the place of `path` at the end, in one step
    and after it has reached the disk. On any error `path` stays as it was and the temporary file is removed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def save(state: Any, path: Union[str, PathLike]) -> None:
    """
    `torch.save`, by `replacing`.

    # Raises

    `OSError`: it cannot be written, of whatever kind torch's own writer says it is.
    """
    try:
        with replacing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:
        raise OSError(f"{path} could not be written: {error}. Make room, or make its directory writable.") from error
