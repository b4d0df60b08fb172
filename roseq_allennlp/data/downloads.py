"""Files from elsewhere: downloaded into AllenNLP's cache, taken out of archives, uncompressed, checked."""

import gzip
import hashlib
import io
import lzma
import math
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Optional, Union

from roseq_allennlp.data.cache import cache_directory, cached_path
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.text import without_secrets

BROKEN = (
    *(OSError, EOFError, KeyError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
    *(ValueError, RuntimeError, NotImplementedError),  # wrong checksums; encrypted and unknown members of a zip
)
"""What reading a broken file raises, compressed or not."""
_LONGEST_LINE = 1 << 20  # bytes, in a file of vectors


def download(
    path: str, addresses: Sequence[str], sha256: Optional[str], otherwise: str, dimension: Optional[int] = None
) -> IO[bytes]:
    """
    The contents of a file, uncompressed and in UTF-8.

    # Parameters

    path : `str`
        What it is called in errors.
    addresses : `Sequence[str]`
        The first that works is used. A file in an archive is `(archive)#file`.
    sha256 : `Optional[str]`
        Checksum of the file in UTF-8; not checked if `None`.
    otherwise : `str`
        What to do without a download, for the error.
    dimension : `Optional[int]`
        Width of the word vectors that the file must hold; not checked if `None`.

    # Raises

    `ConfigurationError`: no address gives the file, or not with that checksum or such vectors.
    """
    from allennlp.modules.token_embedders.embedding import parse_embeddings_file_uri

    failures = []
    for address in addresses:
        url, member = parse_embeddings_file_uri(address)
        archive = None
        try:
            archive = cached_path(url)
            content = uncompressed(archive, member)
            if dimension is not None and (problem := no_vectors(content, dimension)):
                content.close()
                raise ValueError(problem)
            return content if sha256 is None else _verified(content, sha256)
        except BROKEN as error:
            failures.append(f"{address}: {_reason(error, url)}")
            if archive is not None:
                discard(archive)
    tried = without_secrets("; ".join(failures))
    raise ConfigurationError(f"{path} could not be downloaded. Tried: {tried}. Try again, or {otherwise}")


def _reason(error: BaseException, url: str) -> str:
    """On one line, without the address that stands before it."""
    text = " ".join(str(error).removeprefix(f"{without_secrets(url)}: ").split()).rstrip(".")
    return text if isinstance(error, (OSError, ValueError)) and text else f"{type(error).__name__}: {text}"


def fetch_vectors(file: str, dimension: Optional[int]) -> None:
    """
    Word vectors from an address, into the cache, where AllenNLP looks for them; those from a file of one's own, and those
    of the catalogue, which are looked at by `download`, are left alone.

    # Parameters

    file : `str`
        As in a config: a path, an address, or `(address of an archive)#file`.
    dimension : `Optional[int]`
        As in the config; any if `None`.

    # Raises

    `ConfigurationError`: they cannot be fetched, or the file's first line is no word and its vector. It is not cached then.
    """
    from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile, parse_embeddings_file_uri

    url = parse_embeddings_file_uri(file)[0]
    if not url.startswith(("http://", "https://")):
        return
    try:
        archive = cached_path(url)
    except BROKEN as error:
        reason = without_secrets(_reason(error, url))
        raise ConfigurationError(f"{without_secrets(file)} could not be downloaded: {reason}. Try again.") from error
    try:
        with EmbeddingsTextFile(file) as lines:
            content = io.BytesIO(lines.readline().encode())
        problem = no_vectors(content, dimension)
    except (*BROKEN, StopIteration) as error:
        problem = _reason(error, url)
    if problem:
        discard(archive)
        raise ConfigurationError(
            f"{without_secrets(file)}: {problem}. It has been removed from the cache: correct the address or `embedding_dim`,"
            " or try again."
        )


def no_vectors(content: IO[bytes], dimension: Optional[int]) -> Optional[str]:
    """What is wrong with the beginning of a file of word vectors in text, read from its start and left there; or `None`."""
    content.seek(0)
    first = content.readline(_LONGEST_LINE).split()
    if len(first) <= 2 and first and all(field.isdigit() for field in first):  # a header: words and width
        first = content.readline(_LONGEST_LINE).split()
    content.seek(0)
    if not first:
        return "the file is empty"
    width = len(first) - 1 if dimension is None else dimension
    try:
        numbers = list(map(float, first[1:] if dimension is None else first[-width:]))
    except ValueError:
        numbers = []
    if not 0 < width == len(numbers) < len(first) or not all(map(math.isfinite, numbers)):
        wanted = "numbers" if dimension is None else f"{dimension} numbers"
        return f"the file does not begin with a word and {wanted}, as word vectors do"
    return None


def _verified(content: IO[bytes], sha256: str) -> IO[bytes]:
    with content:
        data = content.read()
    in_utf8 = with_checksum(data, sha256)
    if in_utf8 is None:
        raise ValueError(f"the file's SHA-256 is {hashlib.sha256(data).hexdigest()}, expected {sha256}; it is not used")
    return io.BytesIO(in_utf8)


def with_checksum(data: bytes, sha256: str) -> Optional[bytes]:
    """The data, recoded from ISO-8859-1 to UTF-8 if they have the checksum only then; `None` if they never do."""
    for candidate in (data, data.decode("iso-8859-1").encode("utf-8")):
        if hashlib.sha256(candidate).hexdigest() == sha256:
            return candidate
    return None


def discard(archive: Union[str, PathLike]) -> None:
    """A broken download must not stay in the cache; a file that is not in the cache is not ours to delete."""
    file = Path(archive)
    if Path(cache_directory()) in file.parents:
        file.unlink(missing_ok=True)
        file.with_name(file.name + ".json").unlink(missing_ok=True)


def uncompressed(path: str, member: Optional[str] = None) -> IO[bytes]:
    """A whole file, or one in an archive, as a temporary file at its beginning."""
    os.makedirs(cache_directory(), exist_ok=True)  # there and not in /tmp, which may be small or in memory
    content = tempfile.TemporaryFile(dir=cache_directory())
    try:
        with opened(path, member) as stream:
            shutil.copyfileobj(stream, content)
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


def is_archive(path: str) -> bool:
    """Whether it is a zip or tar."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


@contextmanager
def opened(path: str, member: Optional[str]) -> Iterator[IO[bytes]]:
    """A whole file, or one in an archive, unpacked from gzip."""
    with ExitStack() as stack:
        stream: Optional[IO[bytes]]
        if member is None:
            stream = stack.enter_context(open(path, "rb"))
        elif zipfile.is_zipfile(path):
            stream = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(member))
        else:
            stream = stack.enter_context(tarfile.open(path)).extractfile(member)
        if stream is None:
            raise KeyError(f"{member} is a directory")
        buffered = io.BufferedReader(stream)  # type: ignore[type-var]
        is_gzip = buffered.peek(2)[:2] == b"\x1f\x8b"
        yield gzip.GzipFile(fileobj=buffered) if is_gzip else buffered  # type: ignore[misc]
