"""Calibration: are eight in ten of the entities correct that a tagger predicts with a probability near 0.8?"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from roseq_allennlp.evaluation.bootstrap import Interval, ratio_interval
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring.conlleval import Counts

BINS = 10
_SURE = 1e-6  # how far a probability is kept from 0 and 1 in logarithms: they are rounded to float32


class Bin(NamedTuple):
    """Predicted entities whose probabilities are next to each other, from `low` to `high`, the ends included."""

    low: float
    high: float
    entities: int
    mean_probability: float
    share_correct: float


class Measure(NamedTuple):
    """A mean over the predicted entities, with its bootstrap interval over sentences."""

    mean: float
    interval: Interval

    def written(self, factor: float = 1.0) -> str:
        """As text, times `factor`."""
        low, high = (f"{factor * end:.2f}" for end in self.interval)
        return f"{factor * self.mean:.2f} ({low} to {high})"


class Point(NamedTuple):
    """Precision and recall, from 0 to 1, of the entities whose probability is at least the threshold."""

    threshold: float
    precision: float
    recall: float


def predicted_probabilities(sentences: Iterable[TaggedSentence]) -> list[tuple[float, bool]]:
    """Returns the probability of each predicted entity, and whether the entity is correct."""
    return [(entity.probability, entity.is_right) for entities in _by_sentence(sentences) for entity in entities]


def reliability(predicted: Sequence[tuple[float, bool]], bins: int = BINS) -> list[Bin]:
    """
    Sorts predicted entities into adaptive bins: of as many entities each as equal probabilities, which stay together,
    allow (Nguyen and O'Connor 2015). So no bin is nearly empty, and a mean in it is no chance.
    """
    if not predicted:
        return []
    pairs = sorted(predicted, key=lambda pair: pair[0])
    probabilities = np.array([probability for probability, _ in pairs])
    is_correct = np.array([correct for _, correct in pairs], dtype=float)
    cuts = np.arange(1, bins) * len(pairs) // bins
    starts = np.unique(np.searchsorted(probabilities, probabilities[cuts]))
    parts = np.split(np.arange(len(pairs)), starts[starts > 0])
    return [
        Bin(
            float(probabilities[part[0]]),
            float(probabilities[part[-1]]),
            len(part),
            float(probabilities[part].mean()),
            float(is_correct[part].mean()),
        )
        for part in parts
    ]


def expected_calibration_error(bins: Iterable[Bin]) -> float:
    """
    Returns the mean distance between probability and share correct over the bins, weighted by their entities (Naeini et
    al. 2015; Guo et al. 2017, eq. 3), in [0, 1]; 0 without entities.
    """
    bins = list(bins)
    total = sum(part.entities for part in bins)
    return sum(part.entities * abs(part.share_correct - part.mean_probability) for part in bins) / max(total, 1)


def brier_score(sentences: Iterable[TaggedSentence]) -> Measure:
    """The mean square of the distance between probability and truth (Brier 1950), in [0, 1]; the smaller the better."""
    return _mean(sentences, lambda probability, is_correct: (probability - is_correct) ** 2)


def log_likelihood(sentences: Iterable[TaggedSentence]) -> Measure:
    """
    The mean logarithm of the probability of what is true, in nats: that the entity is correct, or that it is not. The
    greater the better; 0 is the best.
    """

    def log(probability: float, is_correct: bool) -> float:
        probability = min(max(probability, _SURE), 1 - _SURE)
        return math.log(probability if is_correct else 1 - probability)

    return _mean(sentences, log)


def precision_recall(sentences: Sequence[TaggedSentence]) -> dict[str, list[Point]]:
    """
    Returns by type a point for each probability that an entity of the type is predicted with, the highest first. Types
    without a predicted entity are left out.
    """
    gold = Counter(span.label for sentence in sentences for span in sentence.gold_entities)
    predicted: dict[str, list[tuple[float, bool]]] = {}
    for entities in _by_sentence(sentences):
        for label, probability, is_right in entities:
            predicted.setdefault(label, []).append((probability, is_right))
    curves = {}
    for label, pairs in sorted(predicted.items()):
        pairs.sort(key=lambda pair: -pair[0])
        points, correct = [], 0
        for number, (probability, is_correct) in enumerate(pairs, 1):
            correct += is_correct
            if number == len(pairs) or pairs[number][0] < probability:  # equal ones stay together
                points.append(Point(probability, correct / number, correct / max(gold[label], 1)))
        curves[label] = points
    return curves


def thresholds(curves: Mapping[str, Sequence[Point]], target: float) -> dict[str, float]:
    """
    Returns by type the lowest probability from which on precision is at least the target, from `precision_recall`; 1 for a
    type that never reaches it.
    """
    reached = {label: [point for point in points if point.precision >= target] for label, points in curves.items()}
    # Rounded down: another batch may change the last digits of a probability.
    return {
        label: math.floor(points[-1].threshold * 10**6) / 10**6 if points else 1.0 for label, points in reached.items()
    }


def above(sentences: Sequence[TaggedSentence], least: Mapping[str, float]) -> Counts:
    """Counts the entities that have at least the probability of their type, and all gold ones."""
    kept = [
        entity.is_right
        for entities in _by_sentence(sentences)
        for entity in entities
        if entity.probability >= least.get(entity.label, 0)
    ]
    return Counts(sum(kept), len(kept), sum(len(sentence.gold_entities) for sentence in sentences))


class _Predicted(NamedTuple):
    label: str
    probability: float
    is_right: bool


def _by_sentence(sentences: Iterable[TaggedSentence]) -> list[list[_Predicted]]:
    """The predicted entities of each sentence."""
    result = []
    for sentence in sentences:
        gold = set(sentence.gold_entities)
        probabilities = sentence.probabilities
        result.append(
            [_Predicted(span.label, probabilities[span], span in gold) for span in sentence.predicted_entities]
        )
    return result


def _mean(sentences: Iterable[TaggedSentence], value: Callable[[float, bool], float]) -> Measure:
    sums = [
        (sum(value(entity.probability, entity.is_right) for entity in entities), len(entities))
        for entities in _by_sentence(sentences)
    ]
    rows = np.array(sums, dtype=float).reshape(-1, 2)
    total, count = rows.sum(axis=0).tolist()
    return Measure(total / max(count, 1), ratio_interval(rows))
