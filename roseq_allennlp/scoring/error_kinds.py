"""
Errors by kind, as `nervaluate` finds them.

Three of its four ways to match entities tell the kinds apart. A predicted entity is correct if `strict` matching says so.
A predicted entity that overlaps a gold one is an error of type if `exact` finds its boundaries right, of boundary if
`ent_type` finds its type right, and otherwise of both. A predicted entity that overlaps no gold one is spurious, and a
gold entity is missed if no predicted one is matched with it.

It differs from `conlleval` in what an error costs: there a wrong boundary is one predicted entity too many and one gold
entity too few, here it is one error. It matches in the order of the text, so a prediction over two gold entities leaves
the later one missed. Its own precision and recall are not used.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.errors import ConfigurationError

KINDS = ("correct", "boundary", "type", "type and boundary", "missed", "spurious")

AVAILABLE = sys.version_info >= (3, 11)
"""nervaluate needs Python 3.11."""

KindsOfSentence = list[tuple[str, Span]]
"""The kind of each predicted entity and of each missed gold entity, with the entity."""


def error_kinds(pairs: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> list[KindsOfSentence]:
    """
    Returns the kinds of the entities of each sentence.

    # Parameters

    pairs : `Iterable[Tuple[Sequence[Span], Sequence[Span]]]`
        Gold and predicted entities of each sentence, sorted as in the text.

    # Raises

    `ConfigurationError` on Python 3.10.
    """
    if not AVAILABLE:
        raise ConfigurationError("Errors by kind are found by nervaluate, which needs Python 3.11 or later.")
    from nervaluate import Evaluator

    pairs = list(pairs)
    labels = sorted({span.label for pair in pairs for spans in pair for span in spans})
    kinds: list[KindsOfSentence] = [[] for _ in pairs]
    if not labels:
        return kinds
    gold, predicted = ([[_as_nervaluate(span) for span in pair[side]] for pair in pairs] for side in (0, 1))
    indices = Evaluator(gold, predicted, tags=labels, loader="dict").evaluate()["overall_indices"]
    same_boundaries, same_type = set(indices["exact"].correct_indices), set(indices["ent_type"].correct_indices)
    predicted_kinds = [(index, "correct") for index in indices["strict"].correct_indices]
    for index in indices["strict"].incorrect_indices:
        predicted_kinds.append((index, _kind(index in same_boundaries, index in same_type)))
    predicted_kinds += [(index, "spurious") for index in indices["strict"].spurious_indices]
    for (sentence, number), kind in predicted_kinds:
        kinds[sentence].append((kind, pairs[sentence][1][number]))
    for sentence, number in indices["strict"].missed_indices:
        kinds[sentence].append(("missed", pairs[sentence][0][number]))
    return kinds


def count_kinds(kinds: Iterable[KindsOfSentence]) -> dict[str, int]:
    """Counts the entities of each of `KINDS`."""
    counts = Counter(kind for sentence in kinds for kind, _ in sentence)
    return {kind: counts[kind] for kind in KINDS}


def _kind(same_boundaries: bool, same_type: bool) -> str:
    if same_boundaries:
        return "type"
    return "boundary" if same_type else "type and boundary"


def _as_nervaluate(span: Span) -> dict:
    return {"label": span.label, "start": span.start, "end": span.end - 1}  # its ends are inclusive
