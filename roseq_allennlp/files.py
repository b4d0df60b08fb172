"""Files that are there whole or not at all, and whose damage is noticed."""

import contextlib
import errno
import fcntl
import os
import pickle
import re
import secrets
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import IO, Any, Union

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk or quota."""

_NAME_SHOWN = 50  # characters of the name in that of its temporary file, which may be no longer than 255 bytes
_TEMPORARY = re.compile(r"\..{1,50}\.roseq-[0-9a-f]{16}\.tmp", re.DOTALL)
# As earlier versions called them, in the directory of a run; the number is the process.
_EARLIER = re.compile(r"\.((?:model|training)_state_e\d+_b\d+\.th|best\.th|model\.tar\.gz)\.(\d+)\.tmp")
_ZIP_BEGINS = b"PK\x03\x04"
_EARLIER_FORMAT_BEGINS = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # torch.serialization.MAGIC_NUMBER
_DIRECTORY = 0x10  # an attribute of a member


@contextlib.contextmanager
def replacing(path: Union[str, PathLike]) -> Iterator[Path]:
    """
    Gives a temporary path in the same directory; what is written there takes the place of `path` at the end, in one step
    and after it has reached the disk. On any error `path` stays as it was and the temporary file is removed; what a
    process left there that was killed is removed first.

    The temporary file has a name that cannot be guessed and the permissions of any new file. It must be written in place.
    """
    path = Path(path)
    remove_leftovers(path.parent)
    temporary, held = _create(path)
    try:
        with held:
            yield temporary
            os.fsync(held.fileno())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _create(path: Path) -> tuple[Path, IO[bytes]]:
    """A new file, and its handle: while it is open the file is locked, on all machines that share the directory."""
    while True:
        temporary = path.with_name(f".{path.name[:_NAME_SHOWN]}.roseq-{secrets.token_hex(8)}.tmp")
        held = open(temporary, "xb")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_EX)
        if temporary.exists():  # else another process took it for a leftover before it was locked
            return temporary, held
        held.close()


def remove_leftovers(directory: Union[str, PathLike]) -> None:
    """
    Removes the temporary files of `replacing` whose process has ended, on whatever machine it ran: a living one holds a
    lock. Files of others, and those that cannot be looked at, stay.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            file = Path(directory, name)
            earlier = _EARLIER.fullmatch(name)
            if earlier and not is_running(int(earlier[2])) or _TEMPORARY.fullmatch(name) and not _is_locked(file):
                with contextlib.suppress(OSError):
                    file.unlink()


def _is_locked(path: Path) -> bool:
    try:
        # Not through a link, and not waiting for the other end of a pipe.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def is_running(process: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def save(state: Any, path: Union[str, PathLike]) -> None:
    """
    `torch.save`, by `replacing`.

    # Raises

    `OSError`: it cannot be written, of whatever kind torch's own writer says it is.
    """
    import torch  # which takes seconds: most of this module is for files of all kinds

    try:
        with replacing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:
        way_out = "Make room, or make its directory writable."
        if not Path(path).parent.is_dir():
            way_out = "Its directory is no longer there, and what was in it is lost."
        raise OSError(f"{path} could not be written: {error}. {way_out}") from error


def load(path: Union[str, PathLike]) -> Any:
    """
    What `torch.save` wrote, on the CPU, without executing anything in the file and only as it was written.

    # Raises

    `ValueError`: it cannot be read, or does not have the checksums that it was written with, see `check_saved`.
    """
    import torch

    try:
        check_saved(path)
        return torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # of damaged bytes torch raises nearly anything
        raise ValueError((str(error) or type(error).__name__).splitlines()[0][:200]) from error


def check_saved(path: Union[str, PathLike], earlier_format: bool = True) -> None:
    """
    Compares what `torch.save` wrote with the checksums beside it (CRC-32, one for each tensor), which `torch.load` does
    not. Needs little memory. A file in torch's format of before 1.6 has no checksums; only its beginning is checked, and
    without `earlier_format` it is refused.

    # Raises

    `ValueError`, `zipfile.BadZipFile`, `OSError`: the file has been damaged, or cannot be read.
    """
    with open(path, "rb") as file:
        begins = file.read(len(_EARLIER_FORMAT_BEGINS))
    if begins == _EARLIER_FORMAT_BEGINS and earlier_format:
        return
    if not begins.startswith(_ZIP_BEGINS):  # which zipfile looks for elsewhere too, and torch here
        raise ValueError("it does not begin as what torch writes")
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            # What torch never writes: compressed data, which may be endless, and directories, which it reads as garbage.
            is_stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
            if not is_stored or member.external_attr & _DIRECTORY:
                raise ValueError(f"its record {_record(member.filename)} is not stored as it was written")
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"its record {_record(damaged)} does not have its checksum")


def _record(member: str) -> str:
    """Without the directory, which is named as the temporary file was."""
    return member.partition("/")[2] or member
