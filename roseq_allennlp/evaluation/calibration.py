"""Whether the probabilities of predicted entities are what they say: of those near 0.8, are eight in ten correct?"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from roseq_allennlp.evaluation.tagged_data import TaggedSentence

BINS = 10


class Bin(NamedTuple):
    """Predicted entities with a probability in `(low, high]`, the first bin with its lower end too."""

    low: float
    high: float
    entities: int
    mean_probability: float
    share_correct: float


def predicted_probabilities(sentences: Iterable[TaggedSentence]) -> list[tuple[float, bool]]:
    """Of each predicted entity: its probability, and whether it is correct."""
    found = []
    for sentence in sentences:
        gold = set(sentence.gold_entities)
        found += [(sentence.probabilities[span], span in gold) for span in sentence.predicted_entities]
    return found


def reliability(predicted: Sequence[tuple[float, bool]], bins: int = BINS) -> list[Bin]:
    """Bins of equal width; those that nothing falls into are left out."""
    members: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for probability, is_correct in predicted:
        members[max(0, min(bins, -int(-probability * bins // 1)) - 1)].append((probability, is_correct))
    return [
        Bin(
            number / bins,
            (number + 1) / bins,
            len(inside),
            sum(probability for probability, _ in inside) / len(inside),
            sum(is_correct for _, is_correct in inside) / len(inside),
        )
        for number, inside in enumerate(members)
        if inside
    ]


def expected_calibration_error(bins: Iterable[Bin]) -> float:
    """
    Mean distance between probability and share correct over the bins, weighted by their entities (Naeini et al. 2015;
    Guo et al. 2017, eq. 3), in [0, 1]; 0 of nothing.
    """
    bins = list(bins)
    total = sum(each.entities for each in bins)
    return sum(each.entities * abs(each.share_correct - each.mean_probability) for each in bins) / max(total, 1)
