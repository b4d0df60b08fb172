"""Where a tagger is right: by length of the entity, by length of the sentence, by whether training had the entity."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring.conlleval import Counts, count_matches, label_of, total

SurfaceForm = tuple[str, ...]
"""The words of an entity, as they are written."""

_LONGEST = 5
_SENTENCE_LENGTHS = ((1, 10), (11, 20), (21, 30), (31, 50))


def by_entity_length(sentences: Iterable[TaggedSentence]) -> dict[str, Counts]:
    """Tokens of the entity: of the gold one where gold entities are counted, of the predicted one elsewhere."""
    lengths = [*map(str, range(1, _LONGEST)), f"{_LONGEST} or more"]
    return _by(sentences, lengths, lambda _, span: lengths[min(span.end - span.start, _LONGEST) - 1])


def by_sentence_length(sentences: Iterable[TaggedSentence]) -> dict[str, Counts]:
    """Tokens of the sentence."""
    beyond = f"more than {_SENTENCE_LENGTHS[-1][1]}"
    names = {f"{low} to {high}": high for low, high in _SENTENCE_LENGTHS}

    def length(sentence: TaggedSentence, _: Span) -> str:
        return next((name for name, high in names.items() if len(sentence.words) <= high), beyond)

    return _by(sentences, [*names, beyond], length)


def by_surface_form(sentences: Iterable[TaggedSentence], seen: set[SurfaceForm]) -> dict[str, Counts]:
    """Whether the words of the entity are those of an entity of the training split, of any type."""

    def group(sentence: TaggedSentence, span: Span) -> str:
        return "seen" if tuple(sentence.words[span.start : span.end]) in seen else "unseen"

    return _by(sentences, ["seen", "unseen"], group)


def confusion(sentences: Sequence[TaggedSentence], labels: Sequence[str]) -> np.ndarray:
    """`(labels, labels)` int64: tokens by their gold label, a row each, and their predicted one, a column each."""
    places = {label: place for place, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for sentence in sentences:
        for gold, predicted in zip(sentence.gold, sentence.predicted):
            matrix[places[label_of(gold)], places[label_of(predicted)]] += 1
    return matrix


def token_labels(tags: Iterable[Sequence[str]]) -> "Counter[str]":
    """How many tokens have each label, O among them."""
    return Counter(label_of(tag) for sentence in tags for tag in sentence)


def _by(
    sentences: Iterable[TaggedSentence], groups: Sequence[str], group_of: Callable[[TaggedSentence, Span], str]
) -> dict[str, Counts]:
    parts: dict[str, list[tuple[list[Span], list[Span]]]] = {group: [] for group in groups}
    for sentence in sentences:
        sides: tuple[dict[str, list[Span]], ...] = ({}, {})
        for side, spans in zip(sides, (sentence.gold_entities, sentence.predicted_entities)):
            for span in spans:
                side.setdefault(group_of(sentence, span), []).append(span)
        for group in {*sides[0], *sides[1]}:
            parts[group].append((sides[0].get(group, []), sides[1].get(group, [])))
    return {group: total(count_matches(pairs)) for group, pairs in parts.items()}
