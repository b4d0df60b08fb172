"""Labelled sentences of several files as one training file: which entities count, and a share of older sentences among them."""

import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from allennlp.data import DatasetReader

from roseq_allennlp.data.tag_schemes import bioul_to_bioes

MIX_READER: dict[str, Any] = {
    "type": "columns",
    "separator": "\t",
    "token_column": 0,
    "tag_column": 1,
    "tag_scheme": "BIOES",
    "encoding": "utf-8",
}
"""The reader of what `write_sentences` writes."""


class Sentence(NamedTuple):
    """Words, and their tags in BIOUL."""

    words: list[str]
    tags: list[str]


def read_sentences(reader: DatasetReader, path: str) -> list[Sentence]:
    """All sentences of a labelled file, as instances of `NerReader` have them."""
    metadata: Iterable[Any] = (instance["metadata"] for instance in reader.read(path))
    return [Sentence(list(fields["words"]), list(fields["tags"])) for fields in metadata]


def types_in(sentences: Iterable[Sentence]) -> list[str]:
    """The types of their entities, in alphabetical order."""
    return sorted({tag.partition("-")[2] for sentence in sentences for tag in sentence.tags if "-" in tag})


def only_types(sentences: Iterable[Sentence], types: Sequence[str]) -> list[Sentence]:
    """The same sentences without the entities of other types: their tokens are O."""

    def kept(tag: str) -> str:
        return tag if "-" not in tag or tag.partition("-")[2] in types else "O"

    return [Sentence(words, [kept(tag) for tag in tags]) for words, tags in sentences]


def share_of(sentences: Sequence[Sentence], share: float, seed: int) -> list[Sentence]:
    """A random share of the sentences, at least one, in their order: the same for the same seed."""
    number = max(1, round(share * len(sentences)))
    chosen = random.Random(seed).sample(range(len(sentences)), number)
    return [sentences[index] for index in sorted(chosen)]


def write_sentences(path: Path, sentences: Iterable[Sentence]) -> None:
    """A word and its tag, in BIOES, a line, with a tab between them. White space in a word becomes no-break space."""
    with open(path, "w", encoding="utf-8", errors="replace", newline="\n") as file:
        for words, tags in sentences:
            for word, tag in zip(words, bioul_to_bioes(tags), strict=True):
                file.write(f"{_in_a_cell(word)}\t{tag}\n")
            file.write("\n")


def _in_a_cell(word: str) -> str:
    return re.sub(r"[\t\n\r]|^ +| +$", "\N{NO-BREAK SPACE}", word)
