"""
Errors by kind, as `nervaluate` finds them.

Of its four ways to match entities, three tell the kinds apart: a predicted entity that its `strict` matching calls
correct is correct; one that overlaps a gold entity is an error of type where `exact` finds its boundaries right, of
boundary where `ent_type` finds its type right, and otherwise of both; one that overlaps none is spurious, and a gold
entity that no predicted one was matched with is missed.

It differs from `conlleval` in what an error costs: there a wrong boundary is one predicted entity too many and one gold
entity too few, here it is one error. It matches in the order of the text, so a prediction over two gold entities leaves
the later one missed. Its own precision and recall are not used.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.tag_schemes import Span

KINDS = ("correct", "boundary", "type", "type and boundary", "missed", "spurious")

AVAILABLE = sys.version_info >= (3, 11)
"""nervaluate needs Python 3.11."""

KindsOfSentence = list[tuple[str, Span]]
"""Of each predicted entity, and of each gold one that is missed."""


def error_kinds(pairs: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> list[KindsOfSentence]:
    """
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
    found = Evaluator(gold, predicted, tags=labels, loader="dict").evaluate()["overall_indices"]
    same_place, same_type = set(found["exact"].correct_indices), set(found["ent_type"].correct_indices)
    places = [(place, "correct") for place in found["strict"].correct_indices]
    for place in found["strict"].incorrect_indices:
        places.append((place, _kind(place in same_place, place in same_type)))
    places += [(place, "spurious") for place in found["strict"].spurious_indices]
    for (sentence, number), kind in places:
        kinds[sentence].append((kind, pairs[sentence][1][number]))
    for sentence, number in found["strict"].missed_indices:
        kinds[sentence].append(("missed", pairs[sentence][0][number]))
    return kinds


def count_kinds(kinds: Iterable[KindsOfSentence]) -> dict[str, int]:
    """How many there are of each of `KINDS`."""
    counts = Counter(kind for sentence in kinds for kind, _ in sentence)
    return {kind: counts[kind] for kind in KINDS}


def _kind(same_place: bool, same_type: bool) -> str:
    if same_place:
        return "type"
    return "boundary" if same_type else "type and boundary"


def _as_nervaluate(span: Span) -> dict:
    return {"label": span.label, "start": span.start, "end": span.end - 1}  # its ends are inclusive
