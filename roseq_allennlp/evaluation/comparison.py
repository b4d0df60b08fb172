"""Comparison of several taggers on the same sentences."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, NamedTuple, Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import Archive

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.tagged_data import Progress, TaggedSentence, tag_file
from roseq_allennlp.models.archive import load_archive

Path = Union[str, PathLike]
WordsAndTags = tuple[Any, ...]


def tag_with_each(
    archives: Sequence[Path], data_path: Path, cuda_device: int = -1, progress: Optional[Progress] = None
) -> list[list[TaggedSentence]]:
    """
    Tags the sentences of a labelled file with each archive, which reads the file with its own reader.

    # Raises

    `ConfigurationError` as `load_archive` and `read_labelled`, and if the readers do not agree on the sentences and their
    gold tags: one may split long sentences, or read another column.
    """
    return tag_with_loaded(archives, (load_archive(path, cuda_device) for path in archives), data_path, progress)


def tag_with_loaded(
    paths: Sequence[Path], archives: Iterable[Archive], data_path: Path, progress: Optional[Progress] = None
) -> list[list[TaggedSentence]]:
    """As `tag_with_each`, with archives that have been loaded from these paths."""
    tagged = [
        tag_file(archive, data_path, progress, f"tagging with {path}")
        for path, archive in zip(paths, archives, strict=True)
    ]
    for path, sentences in zip(paths, tagged, strict=True):
        check_same_sentences(tagged[0], sentences, f"{paths[0]} and {path} read {data_path} differently")
    return tagged


def check_same_sentences(first: Sequence[WordsAndTags], second: Sequence[WordsAndTags], what: str) -> None:
    """
    Checks that two taggers had the same sentences with the same gold tags.

    # Parameters

    first, second : `Sequence[Tuple[Sequence[str], Sequence[str]]]`
        Words and gold tags of each sentence; further items of a tuple are not compared.
    what : `str`
        How the error begins.

    # Raises

    `ConfigurationError` if they differ.
    """
    if len(first) != len(second):
        raise ConfigurationError(f"{what}: {len(first)} and {len(second)} sentences. {_WAY_OUT}")
    for number, (one, other) in enumerate(zip(first, second, strict=True), 1):
        if one[:2] != other[:2]:
            raise ConfigurationError(f"{what}: sentence {number} has other words or gold tags. {_WAY_OUT}")


_WAY_OUT = "Compare taggers whose dataset readers have the same columns, tag scheme and `max_length`."


class Difference(NamedTuple):
    """A sentence in which one of two taggers finds exactly the gold entities and the other does not."""

    number: int
    """The sentence's number in the data, from 1."""
    first_is_right: bool
    first: TaggedSentence
    second: TaggedSentence


def differences(first: Sequence[TaggedSentence], second: Sequence[TaggedSentence]) -> list[Difference]:
    """Returns the sentences where one tagger is right and the other wrong, as in Table V, in the order of the data."""
    result = []
    for number, pair in enumerate(zip(first, second, strict=True), 1):
        right = [sentence.predicted_entities == sentence.gold_entities for sentence in pair]
        if right[0] != right[1]:
            result.append(Difference(number, right[0], *pair))
    return result


def with_brackets(words: Sequence[str], spans: Sequence[Span]) -> str:
    """Returns the sentence with its entities in brackets: `[Marta Keller|person] flies to [Oslo|location]`."""
    parts = list(words)
    for span in spans:
        parts[span.start] = f"[{parts[span.start]}"
        parts[span.end - 1] += f"|{span.label}]"
    return " ".join(parts)
