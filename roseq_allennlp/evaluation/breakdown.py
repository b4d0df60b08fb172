"""Scores of parts of the data: by entity length, by sentence length, by whether the training split has the entity."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from roseq_allennlp.data.tag_schemes import UNKNOWN, Span
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring.conlleval import Counts, count_matches, label_of, total

SurfaceForm = tuple[str, ...]
"""The words of an entity, as they are written."""

_LONGEST = 5
_SENTENCE_LENGTHS = ((1, 10), (11, 20), (21, 30), (31, 50))


def by_entity_length(sentences: Iterable[TaggedSentence]) -> dict[str, Counts]:
    """Counts entities by length in tokens: gold entities by the gold length, predicted ones by the predicted length."""
    lengths = [*map(str, range(1, _LONGEST)), f"{_LONGEST} or more"]
    return _by(sentences, lengths, lambda _, span: lengths[min(span.end - span.start, _LONGEST) - 1])


def by_sentence_length(sentences: Iterable[TaggedSentence]) -> dict[str, Counts]:
    """Counts entities by the length of their sentence in tokens."""
    beyond = f"more than {_SENTENCE_LENGTHS[-1][1]}"
    names = {f"{low} to {high}": high for low, high in _SENTENCE_LENGTHS}

    def length(sentence: TaggedSentence, _: Span) -> str:
        return next((name for name, high in names.items() if len(sentence.words) <= high), beyond)

    return _by(sentences, [*names, beyond], length)


def by_surface_form(sentences: Iterable[TaggedSentence], seen: set[SurfaceForm]) -> dict[str, Counts]:
    """Counts entities by whether an entity of the training split, of any type, has the same words."""

    def group(sentence: TaggedSentence, span: Span) -> str:
        return "seen" if tuple(sentence.words[span.start : span.end]) in seen else "unseen"

    return _by(sentences, ["seen", "unseen"], group)


def confusion(sentences: Sequence[TaggedSentence], labels: Sequence[str]) -> np.ndarray:
    """
    Counts tokens by their gold label, in rows, and their predicted label, in columns: `(labels, labels)` int64. Labels that
    are not among `labels` count as the last one; tokens whose gold tag is unknown are left out.
    """
    indices = {label: index for index, label in enumerate(labels)}
    last = len(labels) - 1
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for sentence in sentences:
        for gold, predicted in zip(sentence.gold, sentence.predicted, strict=True):
            if gold != UNKNOWN:
                matrix[indices.get(label_of(gold), last), indices.get(label_of(predicted), last)] += 1
    return matrix


def token_labels(tags: Iterable[Sequence[str]]) -> "Counter[str]":
    """Counts the tokens of each label, O included, without those of unknown tag."""
    return Counter(label_of(tag) for sentence in tags for tag in sentence if tag != UNKNOWN)


def _by(
    sentences: Iterable[TaggedSentence], groups: Sequence[str], group_of: Callable[[TaggedSentence, Span], str]
) -> dict[str, Counts]:
    parts: dict[str, list[tuple[list[Span], list[Span]]]] = {group: [] for group in groups}
    for sentence in sentences:
        sides: tuple[dict[str, list[Span]], ...] = ({}, {})
        for side, spans in zip(sides, (sentence.gold_entities, sentence.predicted_entities), strict=True):
            for span in spans:
                side.setdefault(group_of(sentence, span), []).append(span)
        for group in {*sides[0], *sides[1]}:
            parts[group].append((sides[0].get(group, []), sides[1].get(group, [])))
    return {group: total(count_matches(pairs)) for group, pairs in parts.items()}
