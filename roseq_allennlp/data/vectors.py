"""Files of word vectors, as AllenNLP reads them: UTF-8, a word and its numbers with single spaces between them."""

import bz2
import codecs
import contextlib
import hashlib
import io
import logging
import lzma
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Optional

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile, parse_embeddings_file_uri

from roseq_allennlp.data.columns import shown_line
from roseq_allennlp.data.downloads import BROKEN, is_archive, opened
from roseq_allennlp.data.text_files import lines, undecodable
from roseq_allennlp.files import replacing

logger = logging.getLogger(__name__)

_HDF5 = (".h5", ".hdf5")  # which AllenNLP reads by itself
_PACKED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\x00"}
_ODD = ("\ufeff", "\t", "\r", "  ", "\0")  # what its reader takes for a part of a word or number
_BLOCK = 1 << 20  # bytes
_BEGINNING = 1 << 12  # bytes
_BINARY = re.compile("[\x00-\x08\x0e-\x1f]")
_HEADER = re.compile(rb"[ \t]*\d+[ \t]+(\d+)[ \t]*\r?\n")
_NO_NUMBERS = re.compile(rb"[^0-9a-zA-Z+\-.,; \t\r\n]")
_FASTTEXT = b"\xba\x16\x4f\x2f"  # how its models begin
_LOOKED_AT = 100  # lines, one of which must be a word and its numbers


def readable(file: str, dimension: Optional[int] = None) -> str:
    """
    The file itself where AllenNLP reads it as it is meant, and otherwise a copy in the cache: without byte order marks, with a
    space for each run of tabs and spaces, in UTF-8, uncompressed.

    # Parameters

    file : `str`
        As in a config: a path, an address, or `(address of an archive)#file`. One of the catalogue is not looked at.
    dimension : `int`, optional
        How many numbers the lines have; not looked at if `None`.

    # Raises

    `ConfigurationError`: there is no such file, it is binary or not UTF-8, or none of its first lines is a word
    and such numbers.
    """
    url, member = parse_embeddings_file_uri(file)
    if url.startswith("corpus://"):
        return file
    try:
        path = file_utils.cached_path(url)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"file {file} not found. The path of word vectors is relative to the working directory."
        ) from error
    if Path(path).is_dir():
        raise ConfigurationError(f"{file}: expected a file of word vectors, got a directory.")
    try:
        if url.endswith(_HDF5):
            _check_hdf5(path)
            return file
        copy = file if member is None and is_archive(path) else _as_allennlp_reads_it(file, path, url, member)
        if dimension is not None:
            _check_width(file, copy, dimension)
    except (*BROKEN, StopIteration) as error:
        reason = " ".join(str(error).split()).rstrip(".") or "it is empty"
        raise ConfigurationError(f"{file}: cannot be read as word vectors ({reason}). Fetch the file again.") from error
    if copy != file:
        logger.info("%s is read from %s, with single spaces and without byte order marks", file, copy)
    return copy


def _as_allennlp_reads_it(file: str, path: str, url: str, member: Optional[str]) -> str:
    with open(path, "rb") as packed:
        begins = packed.read(6)
    is_packed = {end: begins.startswith(magic) for end, magic in _PACKED.items()}
    with _stream(path, member, begins) as stream:
        _check_text(stream, file)
        as_named = member is not None or all(url.endswith(end) == is_so for end, is_so in is_packed.items())
        header = _HEADER.match(stream.peek(_BEGINNING))
        is_odd = header is not None and header[0] != b" ".join(header[0].split()) + b"\n"
        if as_named and not is_odd and _is_plain(stream):
            return file
    name = hashlib.sha256(f"{path} {member}".encode()).hexdigest()
    copy = Path(file_utils.CACHE_DIRECTORY, f"roseq-vectors-{name}.txt")
    time = Path(path).stat().st_mtime_ns
    if not copy.is_file() or copy.stat().st_mtime_ns != time:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with _stream(path, member, begins) as stream, replacing(copy) as temporary:
            _copy(stream, file, temporary)
            os.utime(temporary, ns=(time, time))  # by which it is known to be of this version
    return str(copy)


@contextlib.contextmanager
def _stream(path: str, member: Optional[str], begins: bytes) -> Iterator[io.BufferedReader]:
    if member is None and begins.startswith((_PACKED[".bz2"], _PACKED[".xz"])):
        package: Any = bz2 if begins.startswith(_PACKED[".bz2"]) else lzma
        with package.open(path) as stream:
            yield io.BufferedReader(stream)
    else:
        with opened(path, member) as stream:
            yield stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]


def _check_text(stream: io.BufferedReader, file: str) -> None:
    """Looks at how the file begins, and reads nothing of it."""
    begins = stream.peek(_BEGINNING)
    if begins.startswith(_FASTTEXT):
        raise ConfigurationError(f"{file}: is a model of fastText. Give the file of its vectors, which ends in .vec.")
    if header := _HEADER.match(begins):
        word, _, vector = begins[header.end() :].lstrip(b"\n").partition(b" ")
        if len(word) < 200 and _NO_NUMBERS.search(vector[: 4 * int(header[1])]) and not _is_line(vector):
            raise ConfigurationError(f"{file}: is binary, as word2vec writes it. {_AS_TEXT}")


_AS_TEXT = (
    "Write the vectors as text, by gensim (pip install gensim):"
    " KeyedVectors.load_word2vec_format(FILE, binary=True).save_word2vec_format(TEXT)"
)


def _is_line(text: bytes) -> bool:
    """Whether its first line ends in a number."""
    try:
        return bool([float(number) for number in text.partition(b"\n")[0].split()[-1:]])
    except ValueError:
        return False


def _is_plain(stream: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := stream.read(_BLOCK):
            text = decoder.decode(block)
            if any(odd in text for odd in _ODD):
                return False
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _copy(stream: io.BufferedReader, file: str, target: Path) -> None:
    with open(target, "w", encoding="utf-8") as copy:
        for number, line in lines(stream, None, file):
            if _BINARY.search(line):
                raise ConfigurationError(f"{file}, line {number}: is binary. {_AS_TEXT}")
            if problem := undecodable(line):
                raise ConfigurationError(
                    f"{file}, line {number}: {problem}. Recode the file, such as by iconv -f iso-8859-1 -t utf-8 FILE > NEW."
                )
            copy.write(re.sub("[ \t]+", " ", line.strip(" \t")) + "\n")


def _check_width(file: str, copy: str, dimension: int) -> None:
    """Lines of another width are left out by AllenNLP, with a warning each."""
    with EmbeddingsTextFile(copy) as text:
        first = list(islice(text, _LOOKED_AT))
    widths = [_width(line) for line in first]
    if dimension in widths:
        return
    if not first:
        raise ConfigurationError(f"{file}: has no line with a word and its vector. Fetch the file again.")
    what = f"no word and {dimension} numbers with spaces or tabs between them"
    way_out = "Correct the file."
    if widths[0] is not None:
        what = f"a word and {widths[0]} numbers, where `embedding_dim` is {dimension}"
        way_out = f"Give vectors of that width, or set `embedding_dim` to {widths[0]}."
    raise ConfigurationError(f"{file}: begins with {shown_line(first[0].rstrip())}, {what}. {way_out}")


def _width(line: str) -> Optional[int]:
    """Numbers after the word; `None` if something else is there."""
    fields = line.rstrip().split(" ")[1:]
    try:
        return len([float(field) for field in fields]) or None
    except ValueError:
        return None


def _check_hdf5(path: str) -> None:
    import h5py

    with h5py.File(path, "r") as file:
        if "embedding" not in file:
            raise ValueError("it has no dataset named embedding")
