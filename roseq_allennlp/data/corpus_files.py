"""The files of the catalogue: below `$ROSEQ_DATA`, downloaded, checked, and taken out of archives."""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Optional

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders.embedding import parse_embeddings_file_uri

DATA_VARIABLE = "ROSEQ_DATA"


@dataclass(frozen=True)
class Source:
    """
    One file.

    # Parameters

    local : `Tuple[str, ...]`
        Below `$ROSEQ_DATA`; the first that exists is used.
    addresses : `Tuple[str, ...]`
        Public ones; the first that works is used. A file in an archive is `(archive)#file`.
    sha256 : `Optional[str]`
        Of the file in UTF-8, checked after a download.
    """

    local: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    sha256: Optional[str] = None


def local_file(source: Source) -> Optional[Path]:
    """The file below `$ROSEQ_DATA`; `None` where that is not set or does not hold it."""
    root = os.environ.get(DATA_VARIABLE)
    files = (Path(root).expanduser() / relative for relative in source.local) if root else iter(())
    return next((file for file in files if file.is_file()), None)


class _WrongChecksum(ValueError):
    pass


_BROKEN = (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile, tarfile.TarError, _WrongChecksum)


def download(path: str, source: Source) -> IO[bytes]:
    """
    The file from the first address that works, uncompressed, in UTF-8 and with the right SHA-256.

    # Raises

    `ConfigurationError`: no address works; it names `path` and what went wrong at each.
    """
    failures = []
    for address in source.addresses:
        url, member = parse_embeddings_file_uri(address)
        archive = None
        try:
            archive = file_utils.cached_path(url)
            content = uncompressed(archive, member)
            return content if source.sha256 is None else _verified(content, source.sha256)
        except _BROKEN as error:
            failures.append(f"{address}: {type(error).__name__}: {error}")
            if archive is not None:
                _discard(archive)
    raise ConfigurationError(
        f"{path} could not be downloaded. Tried: {'; '.join(failures)}. Try again, or put the file at {source.local[0]}"
        f" below a directory and set {DATA_VARIABLE} to that directory."
    )


def matching_encoding(data: bytes, sha256: str) -> Optional[str]:
    """
    In which encoding this is the file with that SHA-256, which is of its UTF-8: `utf-8`, `iso-8859-1` (as CoNLL-2002 was
    first distributed), or `None` for another file.
    """
    candidates = (("utf-8", data), ("iso-8859-1", data.decode("iso-8859-1").encode("utf-8")))
    return next((name for name, text in candidates if hashlib.sha256(text).hexdigest() == sha256), None)


def _verified(content: IO[bytes], sha256: str) -> IO[bytes]:
    with content:
        data = content.read()
    encoding = matching_encoding(data, sha256)
    if encoding is None:
        found = hashlib.sha256(data).hexdigest()
        raise _WrongChecksum(f"the file's SHA-256 is {found}, expected {sha256}; it is not used")
    return io.BytesIO(data if encoding == "utf-8" else data.decode(encoding).encode("utf-8"))
