"""
The files of the catalogue, by the names that configs use: `corpus://conll2002-nl/train`,
`corpus://glove-6b-100d/vectors.txt`.

A file is taken from below `$ROSEQ_DATA` where that is set, and otherwise downloaded once into AllenNLP's cache. Importing
this module teaches `cached_path` the scheme `corpus://`, so that these names work wherever AllenNLP takes a path.
"""

import io
import os
import shutil
from pathlib import Path
from typing import IO, Optional, Union

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from cached_path import SchemeClient, add_scheme_client, resource_to_filename

from roseq_allennlp.data.catalogue import CORPORA, VECTORS, Corpus, Source, Vectors
from roseq_allennlp.data.downloads import BROKEN, discard, download, no_vectors, uncompressed, with_checksum

SCHEME = "corpus"
DATA_VARIABLE = "ROSEQ_DATA"


def resolve(path: str) -> str:
    """
    The local path of `corpus://NAME/SPLIT` (`train`, `dev`, `test`) or `corpus://NAME/vectors.txt`, downloaded first
    where that is needed. Any other path is returned as it is.

    # Raises

    `ConfigurationError`: no such name or split; a corpus file that is not below `$ROSEQ_DATA` although that is set; one
    that cannot be downloaded, or not with the right SHA-256.
    """
    if not path.startswith(f"{SCHEME}://"):
        return path
    entry, source = _find(path)
    local = _local(path, entry, source)
    # Vectors go through the cache in any case, so that the result is the text that the name says, never a .gz.
    return str(local) if local and isinstance(entry, Corpus) else file_utils.cached_path(path)


def at_hand(path: str) -> Optional[Path]:
    """
    The file of `corpus://NAME/FILE` below `$ROSEQ_DATA`, or else its copy in the cache; `None` if it is in neither.
    Nothing is downloaded.
    """
    entry, source = _find(path)
    try:
        local = _local(path, entry, source)
    except ConfigurationError:
        return None
    # By the exact name: another version in the cache is not what `resolve` would take.
    cached = Path(file_utils.CACHE_DIRECTORY) / resource_to_filename(path, CorpusClient(path).get_etag())
    return local or (cached if cached.is_file() else None)


def verify(path: str) -> str:
    """
    `"ok"`, `"ok in ISO-8859-1"`, `"differs"`, `"no checksum known"` or `"not here"`: the file of `corpus://NAME/FILE`
    against the catalogue's SHA-256. Nothing is downloaded.
    """
    file, (_, source) = at_hand(path), _find(path)
    if file is None:
        return "not here"
    if source.sha256 is None:
        return "no checksum known"
    data = file.read_bytes()
    in_utf8 = with_checksum(data, source.sha256)
    if in_utf8 is None:
        return "differs"
    return "ok" if in_utf8 == data else "ok in ISO-8859-1"


class CorpusClient(SchemeClient):
    """
    How `cached_path` gets the contents of `corpus://...`, always uncompressed. The version of a downloaded file is its
    SHA-256 here, so that a copy in the cache is used without asking any server.
    """

    scheme = SCHEME

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self._entry, self._source = _find(resource)
        self._content: Optional[IO[bytes]] = None

    def get_etag(self) -> Optional[str]:
        local = _local(self.resource, self._entry, self._source)
        if local is None:
            version = self._source.sha256 or " ".join(self._source.addresses)
            self._discard_what_is_no_vectors(version)
            return version
        status = local.stat()
        return f"{local} {status.st_size} {status.st_mtime_ns}"

    def get_size(self) -> Optional[int]:
        """Gets the file: a download shows its progress, and once `get_resource` is called another display is open."""
        local = _local(self.resource, self._entry, self._source)
        self._content = self._uncompressed(local) if local else self._download()
        return self._content.seek(0, io.SEEK_END)

    def _dimension(self) -> Optional[int]:
        return self._entry.dimension if isinstance(self._entry, Vectors) else None

    def _discard_what_is_no_vectors(self, version: str) -> None:
        """Without a checksum, whatever once came from the address could stay in the cache for good."""
        cached = Path(file_utils.CACHE_DIRECTORY) / resource_to_filename(self.resource, version)
        if self._dimension() is not None and cached.is_file():
            with open(cached, "rb") as file:
                problem = no_vectors(file, self._dimension())
            if problem:
                discard(cached)

    def _uncompressed(self, local: Path) -> IO[bytes]:
        try:
            content = uncompressed(str(local))
            # Of any width: whoever puts a file in its place may have reasons.
            if self._dimension() is None or not (problem := no_vectors(content, None)):
                return content
            content.close()
            raise ValueError(problem)
        except BROKEN as error:
            raise ConfigurationError(
                f"{self.resource}: {local} cannot be used ({error}). Fetch the file again."
            ) from error

    def _download(self) -> IO[bytes]:
        otherwise = (
            f"put the file at {self._source.local[0]} below a directory and set {DATA_VARIABLE} to that directory."
        )
        return download(self.resource, self._source.addresses, self._source.sha256, otherwise, self._dimension())

    def get_resource(self, temp_file: io.BufferedWriter) -> None:
        if self._content is None:
            self.get_size()
        assert self._content is not None
        with self._content as content:
            content.seek(0)
            shutil.copyfileobj(content, temp_file)


add_scheme_client(CorpusClient)


def _find(path: str) -> tuple[Union[Corpus, Vectors], Source]:
    name, _, file = path.removeprefix(f"{SCHEME}://").partition("/")
    entries: dict[str, Union[Corpus, Vectors]] = {**CORPORA, **VECTORS}
    if name not in entries:
        raise ConfigurationError(f"{path}: {name!r} is not in the catalogue. Known are {', '.join(entries)}.")
    entry = entries[name]
    if file not in entry.files:
        known = ", ".join(f"{SCHEME}://{name}/{known}" for known in entry.files)
        raise ConfigurationError(f"{path}: {name} has no {file!r}. Known are {known}.")
    return entry, entry.files[file]


def _local(path: str, entry: Union[Corpus, Vectors], source: Source) -> Optional[Path]:
    """The file below `$ROSEQ_DATA`; `None` where it is to be downloaded."""
    root = os.environ.get(DATA_VARIABLE)
    if root:
        for relative in source.local:
            local = Path(root).expanduser() / relative
            if local.is_file():
                return local
    if not source.addresses:
        files = ", ".join(file.local[0] for file in entry.files.values())
        raise ConfigurationError(
            f"{path}: this corpus cannot be downloaded ({entry.licence}; {entry.homepage}). Put its files at {files}"
            f" below one directory, and set {DATA_VARIABLE} to that directory (it is {root or 'not set'})."
        )
    if root and isinstance(entry, Corpus):
        raise ConfigurationError(
            f"{path}: {DATA_VARIABLE} is {root}, and {Path(root).expanduser() / source.local[0]} is not there. Put the"
            f" file there, or unset {DATA_VARIABLE} to have it downloaded."
        )
    return None
