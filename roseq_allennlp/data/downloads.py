"""Files from elsewhere: downloaded into AllenNLP's cache, taken out of archives, uncompressed, checked."""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Optional

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders.embedding import parse_embeddings_file_uri


class _WrongChecksum(ValueError):
    pass


_BROKEN = (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile, tarfile.TarError, _WrongChecksum)


def download(path: str, addresses: Sequence[str], sha256: Optional[str], otherwise: str) -> IO[bytes]:
    """
    The contents of a file, uncompressed and in UTF-8.

    # Parameters

    path : `str`
        What it is called in errors.
    addresses : `Sequence[str]`
        The first that works is used. A file in an archive is `(archive)#file`.
    sha256 : `Optional[str]`
        Of the file in UTF-8; not checked if `None`.
    otherwise : `str`
        What to do without a download, for the error.

    # Raises

    `ConfigurationError`: no address gives the file, or not with that checksum.
    """
    failures = []
    for address in addresses:
        url, member = parse_embeddings_file_uri(address)
        archive = None
        try:
            archive = file_utils.cached_path(url)
            content = uncompressed(archive, member)
            return content if sha256 is None else _verified(content, sha256)
        except _BROKEN as error:
            failures.append(f"{address}: {type(error).__name__}: {error}")
            if archive is not None:
                _discard(archive)
    raise ConfigurationError(f"{path} could not be downloaded. Tried: {'; '.join(failures)}. Try again, or {otherwise}")


def _verified(content: IO[bytes], sha256: str) -> IO[bytes]:
    with content:
        data = content.read()
    in_utf8 = with_checksum(data, sha256)
    if in_utf8 is None:
        raise _WrongChecksum(
            f"the file's SHA-256 is {hashlib.sha256(data).hexdigest()}, expected {sha256}; it is not used"
        )
    return io.BytesIO(in_utf8)


def with_checksum(data: bytes, sha256: str) -> Optional[bytes]:
    """The data, recoded from ISO-8859-1 to UTF-8 if they have the checksum only then; `None` if they never do."""
    for candidate in (data, data.decode("iso-8859-1").encode("utf-8")):
        if hashlib.sha256(candidate).hexdigest() == sha256:
            return candidate
    return None


def _discard(archive: str) -> None:
    """A broken download must not stay in the cache; a file that is not in the cache is not ours to delete."""
    file = Path(archive)
    if Path(file_utils.CACHE_DIRECTORY) in file.parents:
        file.unlink(missing_ok=True)
        file.with_name(file.name + ".json").unlink(missing_ok=True)


def uncompressed(path: str, member: Optional[str] = None) -> IO[bytes]:
    """A whole file, or one in an archive, as a temporary file at its beginning."""
    os.makedirs(file_utils.CACHE_DIRECTORY, exist_ok=True)  # there and not in /tmp, which may be small or in memory
    content = tempfile.TemporaryFile(dir=file_utils.CACHE_DIRECTORY)  # noqa: SIM115
    try:
        with _opened(path, member) as stream:
            shutil.copyfileobj(stream, content)
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


@contextmanager
def _opened(path: str, member: Optional[str]) -> Iterator[IO[bytes]]:
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
