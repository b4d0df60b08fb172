"""
The corpora and word vectors that the configs name, from `training_configs/lib/catalogue.json`, which the configs import
too: each fact about a corpus stands there, and nowhere else.

Two choices of address: the shared task's own copy of CoNLL-2002 Dutch is gzip in a tar, in ISO-8859-1, and is recoded
before its checksum is taken; its copy of the Spanish files lacks the column of parts of speech, so it is not used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

_PACKAGE = Path(__file__).parents[1]
CONFIGS = next(
    directory / "training_configs"
    for directory in (_PACKAGE, _PACKAGE.parent)
    if (directory / "training_configs" / "lib").is_dir()
)
"""The directory of the shipped configs: in the package where that is installed, beside it in a checkout."""


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
        Checksum of the file in UTF-8, verified after a download.
    """

    local: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    sha256: Optional[str] = None


@dataclass(frozen=True)
class Corpus:
    """
    # Parameters

    files : `Mapping[str, Source]`
        `train`, `dev` and `test`.
    reader : `str`
        Registered name of the dataset reader.
    language : `str`
        Its code in spaCy.
    types : `Tuple[str, ...]`
        Entity types.
    shapes : `bool`
        Whether the paper uses word shapes for it (both WNUT sets, section IV-B).
    vectors : `str`
        The vectors of its configs, by name of `vectors.libsonnet`.
    licence, citation, homepage : `str`
    paper : `Mapping[str, float]`, optional
        Test F1 in the paper's Tables III and IV, in percent, by system.
    best : `Mapping[str, Any]`, optional
        Switches of `roseq.libsonnet` that `best_*.jsonnet` set otherwise than for other corpora.
    """

    files: Mapping[str, Source]
    reader: str
    language: str
    types: tuple[str, ...]
    shapes: bool
    vectors: str
    licence: str
    citation: str
    homepage: str
    paper: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Vectors:
    """Word vectors, as the text file `vectors.txt`; `dimension` is their width."""

    files: Mapping[str, Source]
    dimension: int
    language: str
    licence: str
    citation: str
    homepage: str


def _entry(kind: type, values: dict[str, Any]) -> Any:
    """Builds an entry: lists become tuples, and each file a `Source`."""
    files = {name: Source(**_with_tuples(file)) for name, file in values.pop("files").items()}
    return kind(files=files, **_with_tuples(values))


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


_CATALOGUE = json.loads((CONFIGS / "lib" / "catalogue.json").read_text(encoding="utf-8"))
CORPORA: dict[str, Corpus] = {name: _entry(Corpus, values) for name, values in _CATALOGUE["corpora"].items()}
VECTORS: dict[str, Vectors] = {name: _entry(Vectors, values) for name, values in _CATALOGUE["vectors"].items()}
