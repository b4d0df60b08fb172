"""
Files of text as lines with their numbers: unpacked from gzip, decoded, without byte order marks.

Lines end at `\\n`, `\\r\\n` and `\\r`, and at nothing else: a token may hold any other of Unicode's line separators.
"""

import codecs
import gzip
import io
import logging
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Optional, Union

from roseq_allennlp.data import corpora
from roseq_allennlp.data.cache import cached_path
from roseq_allennlp.errors import ConfigurationError

logger = logging.getLogger(__name__)

_GZIP = b"\x1f\x8b"
_REFUSED = (  # how a file begins, what it is, and what makes a text file of it
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard", "Unpack it: unzstd"),
    (b"\xfd7zXZ\x00", "compressed by xz", "Unpack it: unxz"),
    (b"BZh91AY&SY", "compressed by bzip2", "Unpack it: bunzip2"),
    (b"PK\x03\x04", "a zip archive, or a document of an office program", "Unpack it, or save it as text:"),
)
_MARKS = (  # UTF-32 first, as its little-endian mark begins with that of UTF-16
    *((mark, "utf-32") for mark in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),
    *((mark, "utf-16") for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
)
_LONGEST_MARK = 10  # bytes at the beginning that say what a file is
_ESCAPE = "roseq_undecodable"
_ESCAPED = re.compile("[\udc00-\udcff]")  # a byte that could not be decoded is U+DC00 and its value


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 | byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ESCAPE, _escape)


def lines(
    source: Union[str, io.BufferedReader], encoding: Optional[str] = None, name: str = "standard input"
) -> Iterator[tuple[int, str]]:
    """
    The lines of a file and their numbers, from 1, as a stream. A byte order mark is dropped at the start of any line, as
    files may have been joined.

    # Parameters

    source : `Union[str, io.BufferedReader]`
        A path, or a stream such as `sys.stdin.buffer`, which stays open.
    encoding : `str`, optional (default = UTF-8, or UTF-16 or UTF-32 where the file begins with their mark)
        A byte that cannot be decoded becomes a lone surrogate in its line, which `undecodable` finds; UTF-8 with the error
        handler `surrogateescape` writes those of UTF-8 as they were.
    name : `str`, optional (default = `"standard input"`)
        What a stream is called in errors.

    # Raises

    `ConfigurationError`: compression other than gzip, or a damaged one. `OSError`: the file cannot be opened or read.
    """
    name = source if isinstance(source, str) else name
    number = 0
    with ExitStack() as stack:
        file = stack.enter_context(open(source, "rb")) if isinstance(source, str) else source
        stream, begins = unpacked(file, name)
        encoding = encoding or marked_encoding(begins) or "utf-8"
        text = io.TextIOWrapper(stream, encoding, _ESCAPE, newline="\n")
        stack.callback(text.detach)  # else it would close the stream
        try:
            for joined in text:
                for line in joined.rstrip("\r\n").split("\r"):
                    number += 1
                    yield number, line.lstrip("\ufeff")
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ConfigurationError(
                f"{name}, after line {number}: its gzip is damaged ({error}). Fetch or pack the file again."
            ) from error
        except UnicodeError as error:
            raise ConfigurationError(f"{name}, after line {number}: is not {encoding} ({error}).") from error


def undecodable(line: str, encoding: str = "utf-8") -> Optional[str]:
    """What of a line that `lines` gave could not be decoded; `None` for nothing."""
    escaped = None if line.isascii() else _ESCAPED.search(line)
    return None if escaped is None else f"byte 0x{ord(escaped[0]) & 0xFF:02x} is not {encoding}"


def decoded_lines(path: str, encoding: str) -> Iterator[tuple[int, str]]:
    """
    As `lines`.

    # Raises

    `ConfigurationError`: a byte that cannot be decoded; with the file and the line.
    """
    for number, line in lines(path, encoding):
        if problem := undecodable(line, encoding):
            raise ConfigurationError(
                f"{path}, line {number}: {problem}. Give the file's `encoding`, or leave it out to have it found."
            )
        yield number, line


def find_encoding(path: str) -> str:
    """
    What a file is written in: by its mark, UTF-8, or else with a warning cp1252 where it has the bytes 0x80 to 0x9f that
    Windows writes quotation marks, dashes and the euro with, and ISO-8859-1 where it has none.

    # Raises

    `ConfigurationError`: a good part of the file is UTF-8, and another is not; UTF-16 without its mark.
    """
    with open(path, "rb") as file:
        stream, begins = unpacked(file, path)
    if (marked := marked_encoding(begins)) is not None:
        return marked
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(begins) > 3 and not any(begins[start::2]) and all(begins[1 - start :: 2]):
            raise ConfigurationError(f'{path}: is {encoding} without a mark, it seems. Set `encoding: "{encoding}"`.')
    in_utf8: list[int] = []  # the lines that are not ASCII
    others: list[int] = []
    present: set[int] = set()  # bytes of these lines
    problem: Optional[str] = None
    for number, line in lines(path, "utf-8"):
        if not line.isascii():
            in_line = undecodable(line, "UTF-8")
            problem = problem or in_line
            (others if in_line else in_utf8).append(number)
            present.update(line.encode("utf-8", "surrogateescape"))
    if not others:
        return "utf-8"
    # In other encodings hardly a line in a hundred happens to be UTF-8, as `ß“` in cp1252 is.
    if 10 * len(in_utf8) > len(others):
        raise ConfigurationError(
            f"{path}, line {others[0]}: {problem}, which line {in_utf8[0]} is in. Correct the line,"
            " or give the file's `encoding`."
        )
    of_windows = present.intersection(range(0x80, 0xA0))
    encoding = "cp1252" if of_windows and not of_windows & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "iso-8859-1"
    logger.warning("%s: line %d is not UTF-8, the file is read as %s", path, others[0], encoding.replace("iso", "ISO"))
    return encoding


def known_encoding(encoding: str) -> str:
    """
    Python's name for an encoding.

    # Raises

    `ConfigurationError`: Python has none of that name for text.
    """
    try:
        name = codecs.lookup(encoding).name
        if "\n\t -A".encode(name).decode(name) == "\n\t -A":
            return name
    except (LookupError, ValueError):
        pass
    raise ConfigurationError(
        f"`encoding` must be one that Python knows, such as utf-8, iso-8859-1, cp1252 or utf-16, got {encoding!r}. Leave it"
        " out to have it found."
    )


def local_path(file_path: str) -> str:
    """
    Where a file is, of `corpus://…` or an address too.

    # Raises

    `ConfigurationError`: there is no such file, or it cannot be read several times.
    """
    try:
        path = cached_path(corpora.resolve(file_path))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{file_path}: no such file. Data paths are relative to the working directory."
        ) from error
    if Path(path).is_dir():
        raise ConfigurationError(f"{file_path}: expected a file, got a directory.")
    if not Path(path).is_file():
        raise ConfigurationError(f"{file_path}: expected a file, got a pipe or device. Write what it holds to a file.")
    if path != file_path:
        logger.info("%s is read from %s", file_path, path)
    return path


def marked_encoding(begins: bytes) -> Optional[str]:
    """UTF-16 or UTF-32 for a file that begins with their mark."""
    return next((encoding for mark, encoding in _MARKS if begins.startswith(mark)), None)


def unpacked(stream: io.BufferedReader, name: str) -> tuple[io.BufferedReader, bytes]:
    """
    The stream, without its compression, and how it begins.

    # Raises

    `ConfigurationError`: compression other than gzip, or a damaged one.
    """
    begins = stream.peek(_LONGEST_MARK)[:_LONGEST_MARK]
    if begins.startswith(_GZIP):
        packed: Any = io.BufferedReader(gzip.GzipFile(fileobj=stream))  # type: ignore[type-var]
        try:
            return packed, packed.peek(_LONGEST_MARK)[:_LONGEST_MARK]
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ConfigurationError(f"{name}: its gzip is damaged ({error}). Fetch or pack the file again.") from error
    for beginning, kind, way_out in _REFUSED:
        if begins.startswith(beginning):
            raise ConfigurationError(f"{name}: is {kind}. {way_out} {name}")
    return stream, begins


class Places:
    """Counts what one warning for a file tells of, and keeps the first places."""

    _KEPT = 5

    def __init__(self) -> None:
        self._count = 0
        self._first: list[str] = []

    def add(self, place: str) -> None:
        self._count += 1
        if len(self._first) < self._KEPT:
            self._first.append(place)

    def warn(self, path: str, what: str) -> None:
        if self._count:
            logger.warning("%s: %s: %d, at %s", path, what, self._count, "; ".join(self._first))
