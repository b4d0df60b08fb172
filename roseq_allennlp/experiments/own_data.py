"""What files of labelled data hold, and which of them is for training, for development and for the test."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.catalogue import CONFIGS
from roseq_allennlp.data.column_layout import find_layout
from roseq_allennlp.data.conversion import splits_of
from roseq_allennlp.data.documents import Document, Entity, Tally
from roseq_allennlp.data.formats import FORMATS, ReadOptions, recognised
from roseq_allennlp.data.formats.recognition import WAY_OUT
from roseq_allennlp.data.text_files import local_path
from roseq_allennlp.errors import ConfigurationError

logger = logging.getLogger(__name__)

ROLES = ("train", "dev", "test")
DEMO = CONFIGS.with_name("fixtures") / "wnut17"
"""The sentences of a demonstration: beside the configs, in a checkout and in an installed package."""

SHARES, SEED = (80, 20), 1
"""How one file is divided into training and development data: percents, and the seed."""

_NAMES = {
    "train": "train|training|trn",
    "dev": "dev|devel|development|valid|validation|val|testa",
    "test": "test|testing|testb|tst|eval",
}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_WAY_OUT = (
    "Give labelled data: a token and its tag on each line (Oslo B-LOC), or what doccano, Prodigy, Label Studio, BRAT, spaCy or"
    " datasets of Hugging Face write."
)
_FEW = 20  # documents; fewer are divided by sentences
_WORDS_A_SENTENCE = 20  # where sentences are not given
_ONLINE = re.compile(r"[@#]\w|https?://|RT$")


@dataclass
class Counts:
    """What a file holds. Texts that no sentences are given of count as sentences of 20 words."""

    texts: int = 0
    sentences: int = 0
    tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    online: int = 0
    given: bool = True

    def add(self, document: Document) -> None:
        """Counts one document more."""
        words = document.text.split() if document.tokens is None else document.words()
        self.texts += 1
        self.tokens += len(words)
        if document.sentences is None:
            self.given = False
            self.sentences += max(1, round(len(words) / _WORDS_A_SENTENCE))
        else:
            self.sentences += len(document.sentences)
        self.entities.update(entity.label for entity in document.entities)
        self.words.update(word.lower() for word in words)
        self.online += sum(_ONLINE.match(word) is not None for word in words)


class Data(NamedTuple):
    """
    # Parameters

    files : `Dict[str, str]`
        The path of each split, by its role. `train` and `dev` are there.
    format : `str`
        One of `FORMATS`.
    options : `Dict[str, Any]`
        Parameters of the reader: of `columns` for columns, of `spans` for other formats.
    scheme : `Optional[str]`
        The tag scheme of columns; what is to be written is IOB2.
    counts : `Dict[str, Counts]`
        By role.
    by_order : `bool`
        Whether the order of the files has told their roles, as their names did not.
    parts : `Dict[str, List[Document]]`
        What is to be written, by role, as it has no file yet: the parts of a divided one.
    """

    files: dict[str, str]
    format: str
    options: dict[str, Any]
    scheme: Optional[str]
    counts: dict[str, Counts]
    by_order: bool
    parts: dict[str, list[Document]]


def survey(paths: Sequence[str], directory: str, labels: Optional[list[str]] = None) -> Data:
    """
    Looks at files of labelled data. Where none is for development, the training file is divided, at random.

    # Parameters

    paths : `Sequence[str]`
        One to three: files, directories (BRAT, `save_to_disk`) or names of the catalogue.
    directory : `str`
        Where the parts of a divided file will be. Nothing is written.
    labels : `List[str]`, optional (default = those that are with the data)
        The tags that integers stand for.

    # Raises

    `ConfigurationError`: a file that is missing, empty, without entities or in no known format; files of several formats;
    files whose names do not tell what they are for; too little data to divide.
    """
    files, by_order = roles_of(paths)
    local = {role: path if Path(path).is_dir() else local_path(path) for role, path in files.items()}
    formats = {role: _format(path) for role, path in local.items()}
    if len(set(formats.values())) > 1:
        shown = ", ".join(f"{files[role]} is {name}" for role, name in formats.items())
        raise ConfigurationError(
            f"the files have different formats: {shown}. Write them in one: roseq convert IN OUT --to {formats['train']}"
        )
    name = formats["train"]
    options: dict[str, Any] = {"labels": labels} if labels else {}
    scheme = None
    if name == "columns":
        options, scheme = find_layout(list(local.values()))
    counts: dict[str, Counts] = {}
    kept: dict[str, list[Document]] = {}
    for role, path in local.items():
        counts[role], tally = Counts(), Tally()
        for document in _documents(path, name, options, tally):
            counts[role].add(document)
            if "dev" not in files:
                kept.setdefault(role, []).append(document)
        if tally.counts:
            logger.warning("%s: %s", files[role], tally)
        if not counts[role].entities and role != "test":
            raise ConfigurationError(
                f"{files[role]}: none of its {counts[role].tokens} words is labelled as an entity. Give labelled data."
            )
    data = Data({role: _absolute(path) for role, path in files.items()}, name, options, scheme, counts, by_order, {})
    return data if "dev" in files else _divided(data, kept, files["train"], directory)


def roles_of(paths: Sequence[str]) -> tuple[dict[str, str], bool]:
    """
    The path of each role, in the order of `ROLES`, and whether the order of the paths alone has told them.

    # Raises

    `ConfigurationError`: names that do not tell the roles.
    """
    if len({_absolute(path) for path in paths}) < len(paths):
        raise ConfigurationError(f"--data {' '.join(paths)}: a file is given twice. Name each once.")
    way_out = "Give one file, which is divided, or the training, the development and the test file, with these words in their names."
    if len(paths) > len(ROLES):
        raise ConfigurationError(f"--data has {len(paths)} files. {way_out}")
    if len(paths) == 1:
        return {"train": paths[0]}, False
    parts = [path.rstrip("/").split("/") for path in paths]
    named = [_role(path[-1]) for path in parts]
    if not any(named):
        named = [_role(path[-2]) if len(path) > 1 else None for path in parts]
    missing = iter([role for role in ROLES if role not in named])
    roles = [role or next(missing) for role in named]
    if len(set(roles)) < len(roles) or "train" not in roles:
        shown = ", ".join(f"{path} is for {role}" for path, role in zip(paths, roles, strict=True))
        raise ConfigurationError(f"--data: by their names, {shown}. {way_out}")
    return {role: path for role in ROLES for path, own in zip(paths, roles, strict=True) if own == role}, not any(named)


def demonstration(directory: str) -> Data:
    """The data of `DEMO`, to be written into a directory."""
    data = survey(sorted(map(str, DEMO.iterdir())), directory)
    parts = {role: list(_documents(path, data.format, data.options, Tally())) for role, path in data.files.items()}
    return data._replace(files=_files(directory, data.format, parts), parts=parts, options={})


def write_parts(data: Data) -> None:
    """Writes the data that have no file yet."""
    for role, parts in data.parts.items():
        FORMATS[data.format].write(parts, data.files[role])


def _divided(data: Data, documents: dict[str, list[Document]], path: str, directory: str) -> Data:
    whole = documents["train"]
    parts = [part for document in whole for part in _parts(document)] if len(whole) < _FEW else whole
    try:
        numbers = splits_of((part.text for part in parts), SHARES, SEED)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{path}: has too little text to be divided into training and development data. Give more, or both."
        ) from error
    # The test file is written too, so that all three have the same columns, and tags in words.
    divided: dict[str, list[Document]] = {**documents, "train": [], "dev": []}
    for part, number in zip(parts, numbers, strict=True):
        divided[ROLES[number]].append(part)
    counts = {role: Counts() for role in divided}
    for role, own in divided.items():
        for part in own:
            counts[role].add(part)
        if not counts[role].entities and role != "test":
            raise ConfigurationError(
                f"{path}: has too few entities to be divided into training and development data. Give more, or both."
            )
    written = data._replace(files=_files(directory, data.format, divided), counts=counts, options={}, parts=divided)
    return written if data.scheme is None else written._replace(scheme="IOB2")


def _files(directory: str, name: str, parts: dict[str, list[Document]]) -> dict[str, str]:
    extension = FORMATS[name].extension
    return {role: _absolute(os.path.join(directory, role + extension)) for role in ROLES if role in parts}


def _parts(document: Document) -> Iterator[Document]:
    """The sentences of a document, if they are given, each as one."""
    tokens = document.tokens or []
    if not document.sentences:
        yield document
        return
    for start, end in document.sentences:
        first, last = tokens[start][0], tokens[end - 1][1]
        entities = [
            Entity(label, begin - first, stop - first)
            for label, begin, stop in document.entities
            if first <= begin and stop <= last
        ]
        moved = [(begin - first, stop - first) for begin, stop in tokens[start:end]]
        yield Document(document.text[first:last], entities, moved, [(0, end - start)], document.where)


def _documents(path: str, name: str, options: dict[str, Any], tally: Tally) -> Iterator[Document]:
    read = ReadOptions(columns=options) if name == "columns" else ReadOptions(**options)
    return FORMATS[name].read(path, read, tally)


def _format(path: str) -> str:
    try:
        return recognised(path)
    except ConfigurationError as error:
        try:
            find_layout([path])
        except (ConfigurationError, OSError):
            message = error.message.replace(WAY_OUT, _WAY_OUT)
            raise ConfigurationError(message) from error
        return "columns"


def _role(name: str) -> Optional[str]:
    """By the last word of a name that tells it."""
    for word in reversed(_WORDS.findall(name)):
        for role, names in _NAMES.items():
            if re.fullmatch(f"({names})(set|data|file|split)?", word.lower()):
                return role
    return None


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)
