"""The files of an untrusted archive, unpacked in constant memory and within limits that hold before anything is read."""

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from allennlp.common.meta import META_NAME
from allennlp.models.archival import CONFIG_NAME

from roseq_allennlp.data.encoder_files import ENCODER
from roseq_allennlp.files import FULL
from roseq_allennlp.models.archive_config import ArchiveError
from roseq_allennlp.models.archive_encoder import ENCODER_SIZES
from roseq_allennlp.models.description import METRICS_NAME

MAX_SIZE = 4 * 2**30
"""Largest size of an unpacked archive in bytes, unless another limit is given."""

MEMBERS = 3000  # headers of members included
_HEADER = 2**16  # of a pax header or a long name, in bytes
_EXPANSION = (
    100  # trained weights hardly compress; an archive beyond this, and beyond `_SMALL`, was made to fill memory
)
_SMALL = 2**26
SIZES = {CONFIG_NAME: 2**22, META_NAME: 2**12, METRICS_NAME: 2**20, **ENCODER_SIZES}  # of files that are read whole
_VOCABULARY_LINES = 100_000  # of a namespace, or as many as the weights have rows
_VOCABULARY_LINE = 128  # bytes, on average
_VOCABULARY = 2**28  # bytes of a file in the directory of a run
_CHUNK = 2**20
_TRAILER = 2**20  # zeros after the last member


def extract(path: Path, directory: Path, max_size: int = MAX_SIZE) -> None:
    """
    Unpacks an archive whose members are all files and directories that stay inside. It is read as a stream; no size in it
    is believed.

    # Raises

    `ConfigurationError`: a member is none of these or exceeds a limit, or the archive cannot be read to its end.
    """
    expanded = max(_SMALL, _EXPANSION * path.stat().st_size)
    try:
        with gzip.open(path) as unpacked:
            stream = cast(BinaryIO, unpacked)
            for name, size, is_directory in _members(stream, min(max_size, expanded), max_size):
                target = directory / name
                if is_directory:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "wb") as file:
                    for start in range(0, size, _CHUNK):
                        file.write(_read(stream, min(_CHUNK, size - start)))
                _read(stream, -size % tarfile.BLOCKSIZE)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise ArchiveError(
            f"cannot be read as an archive ({error}). It is truncated or none at all: fetch it again, or have it written"
            " anew with `roseq train … --recover`."
        ) from error


def _members(stream: BinaryIO, limit: int, max_size: int) -> Iterator[tuple[str, int, bool]]:
    """
    Name, size and whether it is a directory, of each member; the caller reads its content. Not by `tarfile.TarFile`, which
    reads headers of any size into memory, and keeps them all.
    """
    total, headers = 0, 0
    long_name = ""
    while True:
        block = _read(stream, tarfile.BLOCKSIZE)
        if not any(block):
            break
        headers += 1
        member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if headers > MEMBERS:
            raise ArchiveError(f"refused, it has more than {MEMBERS:,} members, and a tagger's archive has some ten.")
        if member.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            if not 0 <= member.size <= _HEADER:
                raise ArchiveError(f"refused, a header in it has {member.size} bytes; at most {_HEADER} are allowed.")
            content = _read(stream, member.size)
            _read(stream, -member.size % tarfile.BLOCKSIZE)
            if member.type == tarfile.GNUTYPE_LONGNAME:
                long_name = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif member.type != tarfile.XGLTYPE:
                long_name = _pax_path(content)
            continue
        name, long_name = long_name or member.name, ""
        _check_name(name, member)
        size = member.size if member.isreg() else 0
        file_limit = SIZES.get(os.path.normpath(name), limit)
        total += size
        if member.size < 0 or size > file_limit or total > limit:
            raise ArchiveError(
                f"refused, its member {name[:80]!r} makes it unpack to more than {min(file_limit, limit):,} bytes"
                f" ({_way_out(max_size, limit, file_limit)})"
            )
        yield name, size, member.isdir()
    padding = stream.read(_TRAILER)
    if any(padding) or stream.read(1):
        raise ArchiveError("refused, something follows the end of its last member. Do not trust its source.")


def _way_out(max_size: int, limit: int, file_limit: int) -> str:
    if file_limit < limit:
        return "no tagger's archive has such a file: do not trust its source."
    if limit < max_size:
        return f"over {_EXPANSION} times its own size: do not trust its source, or unpack it and give the directory."
    return "give `max_size` to `load`, or unpack it and give the directory, if you trust its source."


def _check_name(name: str, member: tarfile.TarInfo) -> None:
    outside = name.startswith(("/", "\\")) or ".." in Path(name).parts or not name.isprintable()
    # `isfile` would take sparse files, whose maps are of any size.
    if not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)) or outside or len(name) > 1000:
        kind = "a link" if member.issym() or member.islnk() else "no plain file inside it"
        raise ArchiveError(
            f"refused, its member {name[:80]!r} is {kind}. No tagger's archive has such members: do not trust its source."
        )


def _pax_path(content: bytes) -> str:
    """The name that a pax header gives; those of ordinary archives have times alone."""
    path = ""
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(content):
            raise tarfile.ReadError("a pax header is damaged")
        record, content = content[len(length) + 1 : int(length) - 1], content[int(length) :]
        key, _, value = record.partition(b"=")
        if key == b"size" or key.startswith(b"GNU.sparse"):
            raise ArchiveError("refused, a header in it changes the size of a member. Do not trust its source.")
        path = value.decode("utf-8", "surrogateescape") if key == b"path" else path
    return path


def _read(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("its end is missing")
    return content


def copy_run(source: Path, directory: Path) -> None:
    """
    Copies what loading reads, but the weights, from the directory of a run, so that nothing is written there.

    # Raises

    `ConfigurationError`: a file is a link to somewhere else, no file, or too large.
    """
    if (source / ENCODER).is_dir():
        (directory / ENCODER).mkdir()
    for name in SIZES:
        if os.path.lexists(source / name):
            _copy(source, name, directory, SIZES[name])
    vocabulary = source / "vocabulary"
    names = os.listdir(vocabulary) if vocabulary.is_dir() else []
    if len(names) > MEMBERS:
        raise ArchiveError(f"refused, its vocabulary has more than {MEMBERS:,} files.")
    (directory / "vocabulary").mkdir()
    for name in names:
        if not name.startswith("."):  # locks
            _copy(source, f"vocabulary/{name}", directory, _VOCABULARY)


def _copy(source: Path, name: str, directory: Path, limit: int) -> None:
    path = check_inside(source, name)
    if path.stat().st_size > limit:
        raise ArchiveError(f"refused, its {name} has more than {limit:,} bytes. Do not trust its source.")
    shutil.copyfile(path, directory / name)


def check_inside(directory: Path, name: str) -> Path:
    """The path of a plain file that is in the directory itself."""
    path = directory / name
    if not path.resolve().is_relative_to(directory.resolve()):
        raise ArchiveError(f"refused, its {name} is a link to a file elsewhere. Put the file itself in its place.")
    if not path.is_file():
        raise ArchiveError(f"its {name} is not a file. Fetch it again, or have it written anew with `roseq train`.")
    return path


def check_vocabulary(directory: Path, rows: int) -> None:
    """`rows` is the largest size of any weight: a namespace with more entries, beyond some, has no use."""
    lines = max(_VOCABULARY_LINES, 2 * rows)
    for path in (directory / "vocabulary").iterdir():
        if not path.is_file():
            raise ArchiveError(f"its vocabulary/{path.name} is not a file. Fetch it again.")
        with open(path, "rb") as file:
            too_many = (
                path.stat().st_size > _VOCABULARY_LINE * lines
                or sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b"")) > lines
            )
        if too_many:
            raise ArchiveError(
                f"refused, its vocabulary/{path.name} has more than {lines:,} entries, or more than {_VOCABULARY_LINE} bytes"
                " each, and its weights have fewer rows. Do not trust its source."
            )
