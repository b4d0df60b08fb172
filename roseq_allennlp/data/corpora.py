"""
The files of the catalogue, by the names that configs use: `corpus://conll2002-nl/train`,
`corpus://glove-6b-100d/vectors.txt`.

A file is taken from below `$ROSEQ_DATA` where that is set, and otherwise downloaded once into AllenNLP's cache, by
`corpus_client`. This module is quick to import.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Optional, Union

from roseq_allennlp.data.cache import cache_directory, cached_path
from roseq_allennlp.data.catalogue import CORPORA, VECTORS, Corpus, Source, Vectors
from roseq_allennlp.data.downloads import discard, no_vectors, with_checksum
from roseq_allennlp.errors import ConfigurationError

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
    entry, source = find(path)
    local = local_file(path, entry, source)
    if isinstance(entry, Corpus):
        return str(local or _cached(path) or cached_path(path))
    return cached_path(path)  # in any case, so that the result is the text that the name says, never a .gz


def at_hand(path: str) -> Optional[Path]:
    """
    The file of `corpus://NAME/FILE` below `$ROSEQ_DATA`, or else its copy in the cache; `None` if it is in neither.
    Nothing is downloaded.
    """
    entry, source = find(path)
    try:
        local = local_file(path, entry, source)
    except ConfigurationError:
        return None
    return local or _cached(path)


def verify(path: str) -> str:
    """
    `"ok"`, `"ok in ISO-8859-1"`, `"differs"`, `"no checksum known"` or `"not here"`: the file of `corpus://NAME/FILE`
    against the catalogue's SHA-256. Nothing is downloaded.
    """
    file, (_, source) = at_hand(path), find(path)
    if file is None:
        return "not here"
    if source.sha256 is None:
        return "no checksum known"
    data = file.read_bytes()
    in_utf8 = with_checksum(data, source.sha256)
    if in_utf8 is None:
        return "differs"
    return "ok" if in_utf8 == data else "ok in ISO-8859-1"


def version(path: str) -> str:
    """
    That of the file of `corpus://NAME/FILE`, by which the cache knows it: for a downloaded file its SHA-256 where that is
    known, so that a copy in the cache is used without asking any server.
    """
    entry, source = find(path)
    local = local_file(path, entry, source)
    if local is not None:
        status = local.stat()
        return f"{local} {status.st_size} {status.st_mtime_ns}"
    known = source.sha256 or " ".join(source.addresses)
    # Without a checksum, whatever once came from the address could stay in the cache for good.
    cached = _in_cache(path, known)
    if isinstance(entry, Vectors) and cached.is_file():
        with open(cached, "rb") as file:
            problem = no_vectors(file, entry.dimension)
        if problem:
            discard(cached)
    return known


def _cached(path: str) -> Optional[Path]:
    # By the exact name: another version in the cache is not what `resolve` would take.
    cached = _in_cache(path, version(path))
    return cached if cached.is_file() else None


def _in_cache(path: str, version: str) -> Path:
    """As `cached_path` names a file."""
    return Path(cache_directory(), ".".join(sha256(text.encode()).hexdigest() for text in (path, version)))


def find(path: str) -> tuple[Union[Corpus, Vectors], Source]:
    """The entry of the catalogue and the file that `corpus://NAME/FILE` names."""
    name, _, file = path.removeprefix(f"{SCHEME}://").partition("/")
    entries: dict[str, Union[Corpus, Vectors]] = {**CORPORA, **VECTORS}
    if name not in entries:
        raise ConfigurationError(f"{path}: {name!r} is not in the catalogue. Known are {', '.join(entries)}.")
    entry = entries[name]
    if file not in entry.files:
        known = ", ".join(f"{SCHEME}://{name}/{known}" for known in entry.files)
        raise ConfigurationError(f"{path}: {name} has no {file!r}. Known are {known}.")
    return entry, entry.files[file]


def local_file(path: str, entry: Union[Corpus, Vectors], source: Source) -> Optional[Path]:
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
