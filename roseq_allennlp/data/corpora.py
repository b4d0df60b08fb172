"""
The corpora and word vectors that the configs name: `corpus://conll2002-nl/train`, `corpus://glove-6b-100d/vectors.txt`.

A file is taken from below `$ROSEQ_DATA` where that is set, and otherwise downloaded once into AllenNLP's cache. Importing
this module teaches `cached_path` the scheme `corpus://`, so that these names work wherever AllenNLP takes a path.
"""

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Optional, Union

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from cached_path import SchemeClient, add_scheme_client, resource_to_filename

from roseq_allennlp.data.downloads import BROKEN, discard, download, no_vectors, uncompressed, with_checksum

SCHEME = "corpus"
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


@dataclass(frozen=True)
class Corpus:
    """A corpus: its `train`, `dev` and `test` files, the registered name of their reader, and where it comes from."""

    files: Mapping[str, Source]
    reader: str
    language: str  # as spaCy names it
    entity_types: tuple[str, ...]
    licence: str
    citation: str
    homepage: str


@dataclass(frozen=True)
class Vectors:
    """Word vectors, as the text file `vectors.txt`."""

    files: Mapping[str, Source]
    dimension: int
    language: str
    licence: str
    citation: str
    homepage: str


_NLTK = "(https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/conll2002.zip)#"
_CONLL2002 = "(https://www.cnts.ua.ac.be/conll2002/ner.tgz)#ner/data/"
_WNUT16 = "https://raw.githubusercontent.com/aritter/twitter_nlp/master/data/annotated/wnut16/data/"
_WNUT17 = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"


def _conll2002(language: str, files: dict[str, Source]) -> Corpus:
    return Corpus(
        files=files,
        reader="conll2002",
        language=language,
        entity_types=("LOC", "MISC", "ORG", "PER"),
        licence="For research in the context of the shared task only",
        citation="Tjong Kim Sang (2002), Introduction to the CoNLL-2002 Shared Task, https://aclanthology.org/W02-2024",
        homepage="https://www.cnts.ua.ac.be/conll2002/ner/",
    )


def _dutch(file: str, sha256: str) -> Source:
    # The shared task's own copy is gzip in a tar, in ISO-8859-1: it is recoded before its checksum is taken.
    local = f"conll2002/ned.{file}"
    return Source((local,), (f"{_NLTK}{local}", f"{_CONLL2002}ned.{file}.gz"), sha256)


def _spanish(file: str, sha256: str) -> Source:
    # Not from the shared task's site: its Spanish files have no part-of-speech column.
    local = f"conll2002/esp.{file}"
    return Source((local,), (f"{_NLTK}{local}",), sha256)


def _conll2003(file: str) -> Source:
    return Source((f"conll2003/eng.{file}",))


def _wnut(folder: str, address: str, file: str, sha256: str) -> Source:
    return Source((f"{folder}/{file}",), (address + file,), sha256)


def _fasttext(language: str) -> Vectors:
    file = f"cc.{language}.300.vec.gz"
    address = f"https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/{file}"
    return Vectors(
        files={"vectors.txt": Source((f"fasttext/{file}",), (address,))},
        dimension=300,
        language=language,
        licence="CC BY-SA 3.0",
        citation="Grave et al. (2018), Learning Word Vectors for 157 Languages, https://aclanthology.org/L18-1550",
        homepage="https://fasttext.cc/docs/en/crawl-vectors.html",
    )


CORPORA: dict[str, Corpus] = {
    "conll2002-nl": _conll2002(
        "nl",
        {
            "train": _dutch("train", "0a419dcb356b62c8cff38515675550b3d5dbea9f45a1c4956328dbd5cc7fcdbc"),
            "dev": _dutch("testa", "51259d4bfe52462f211d3d0b67173a7ecbfa296e199f6c6bd0895f4c78155057"),
            "test": _dutch("testb", "2aa748edb82e6f9c4d82e57a4bed69ded18cfa4803122c75070335d513517488"),
        },
    ),
    "conll2002-es": _conll2002(
        "es",
        {
            "train": _spanish("train", "a20d95cab7d88a19a86f8c1ad6329325c99fbd9529ed978cbd7e31d4b01b4008"),
            "dev": _spanish("testa", "85c17793b77881c53d19017d9d0f1e6fb98b7ddcab54a5f24b05ed1793103c87"),
            "test": _spanish("testb", "1f8f7a392c6d4979a5592a5794eed43d7869b46da6851bbcde99714149f1d016"),
        },
    ),
    "conll2003-en": Corpus(
        files={"train": _conll2003("train"), "dev": _conll2003("testa"), "test": _conll2003("testb")},
        reader="conll2003_ner",
        language="en",
        entity_types=("LOC", "MISC", "ORG", "PER"),
        licence="The text is Reuters', under a licence of its own",
        citation="Tjong Kim Sang and De Meulder (2003), Introduction to the CoNLL-2003 Shared Task,"
        " https://aclanthology.org/W03-0419",
        homepage="https://www.cnts.ua.ac.be/conll2003/ner/",
    ),
    "wnut16": Corpus(
        files={
            "train": _wnut(
                "wnut16", _WNUT16, "train", "5ec9db29c87fbf424860688fff08a485f6112137b930bb4799288399db9e153d"
            ),
            "dev": _wnut("wnut16", _WNUT16, "dev", "d555eff2d24f05b032a17d892dda766f8e4dc0436404c17f4c1c6841472928fd"),
            "test": _wnut(
                "wnut16", _WNUT16, "test", "4d96d1908d4fdda27f3738bfb83d26e9b9e0996e22d8e0788de7c11c25af6896"
            ),
        },
        reader="wnut",
        language="en",
        entity_types=(
            *("company", "facility", "geo-loc", "movie", "musicartist"),
            *("other", "person", "product", "sportsteam", "tvshow"),
        ),
        licence="As released by its organisers",
        citation="Strauss et al. (2016), Results of the WNUT16 Named Entity Recognition Shared Task,"
        " https://aclanthology.org/W16-3919",
        homepage="https://github.com/aritter/twitter_nlp",
    ),
    "wnut17": Corpus(
        files={
            "train": _wnut(
                *("wnut17", _WNUT17, "wnut17train.conll"),
                "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
            ),
            "dev": _wnut(
                *("wnut17", _WNUT17, "emerging.dev.conll"),
                "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
            ),
            "test": _wnut(
                *("wnut17", _WNUT17, "emerging.test.annotated"),
                "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
            ),
        },
        reader="wnut",
        language="en",
        entity_types=("corporation", "creative-work", "group", "location", "person", "product"),
        licence="CC BY 4.0",
        citation="Derczynski et al. (2017), Results of the WNUT2017 Shared Task on Novel and Emerging Entity Recognition,"
        " https://aclanthology.org/W17-4418",
        homepage="https://github.com/leondz/emerging_entities_17",
    ),
}

VECTORS: dict[str, Vectors] = {
    "glove-6b-100d": Vectors(
        files={
            "vectors.txt": Source(
                ("glove/glove.6B.100d.txt", "glove/glove.6B.100d.subset.txt.gz"),
                ("(https://nlp.stanford.edu/data/glove.6B.zip)#glove.6B.100d.txt",),
            )
        },
        dimension=100,
        language="en",
        licence="PDDL",
        citation="Pennington et al. (2014), GloVe: Global Vectors for Word Representation,"
        " https://aclanthology.org/D14-1162",
        homepage="https://nlp.stanford.edu/projects/glove/",
    ),
    "fasttext-cc-nl": _fasttext("nl"),
    "fasttext-cc-es": _fasttext("es"),
}


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
