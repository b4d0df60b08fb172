"""Calibration: are eight in ten of the entities correct that a tagger predicts with a probability near 0.8?"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from roseq_allennlp.evaluation.tagged_data import TaggedSentence

BINS = 10


class Bin(NamedTuple):
    """The predicted entities with a probability in `(low, high]`; the first bin includes its lower end."""

    low: float
    high: float
    entities: int
    mean_probability: float
    share_correct: float


def predicted_probabilities(sentences: Iterable[TaggedSentence]) -> list[tuple[float, bool]]:
    """Returns the probability of each predicted entity, and whether the entity is correct."""
    predicted = []
    for sentence in sentences:
        gold = set(sentence.gold_entities)
        predicted += [(sentence.probabilities[span], span in gold) for span in sentence.predicted_entities]
    return predicted


def reliability(predicted: Sequence[tuple[float, bool]], bins: int = BINS) -> list[Bin]:
    """Sorts predicted entities into bins of equal width; leaves out empty bins."""
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
    Returns the mean distance between probability and share correct over the bins, weighted by their entities (Naeini et
    al. 2015; Guo et al. 2017, eq. 3), in [0, 1]; 0 without entities.
    """
    bins = list(bins)
    total = sum(part.entities for part in bins)
    return sum(part.entities * abs(part.share_correct - part.mean_probability) for part in bins) / max(total, 1)
