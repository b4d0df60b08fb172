import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_curve

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.calibration import (
    Point,
    above,
    brier_score,
    expected_calibration_error,
    log_likelihood,
    precision_recall,
    predicted_probabilities,
    reliability,
    thresholds,
)
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring.conlleval import Counts


def test_by_hand():
    predicted = [(0.05, False), (0.1, True), (0.11, False), (0.95, True), (1.0, True), (0.0, False)]
    bins = reliability(predicted, 3)
    assert [(part.low, part.high, part.entities) for part in bins] == [(0, 0.05, 2), (0.1, 0.11, 2), (0.95, 1, 2)]
    assert [part.share_correct for part in bins] == [0, 0.5, 1]
    assert bins[2].mean_probability == pytest.approx(0.975)
    expected = (0.025 + abs(0.5 - 0.105) + 0.025) / 3
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_equal_probabilities_stay_together():
    predicted = [(0.2, True), (0.7, False), (0.7, True), (0.7, True), (0.7, True), (0.9, True)]
    bins = reliability(predicted, 3)
    assert [(part.low, part.high, part.entities) for part in bins] == [(0.2, 0.2, 1), (0.7, 0.9, 5)]
    assert reliability(predicted[::-1], 3) == bins
    assert [part.entities for part in reliability([(0.5, True)] * 3)] == [3]


def test_against_numpy():
    generator = np.random.default_rng(2)
    probabilities = generator.uniform(size=2000)
    correct = generator.uniform(size=2000) < probabilities**2
    bins = reliability(list(zip(probabilities.tolist(), correct.tolist(), strict=True)))
    indices = np.digitize(probabilities, np.quantile(probabilities, np.linspace(0, 1, 11)[1:-1]))
    gaps = [abs(correct[indices == p].mean() - probabilities[indices == p].mean()) for p in range(10)]
    assert [part.entities for part in bins] == np.bincount(indices).tolist()
    assert expected_calibration_error(bins) == pytest.approx(np.dot(np.bincount(indices) / 2000, gaps))


def test_nothing():
    assert reliability([]) == [] and expected_calibration_error([]) == 0


def test_predicted_entities_with_their_probability():
    gold, predicted = ["S-A", "O", "S-B"], ["S-A", "S-A", "S-A"]
    probabilities = {Span("A", 0, 1): 0.9, Span("A", 1, 2): 0.4, Span("A", 2, 3): 0.7}
    sentence = TaggedSentence(["a", "b", "c"], gold, predicted, probabilities)
    assert predicted_probabilities([sentence]) == [(0.9, True), (0.4, False), (0.7, False)]


def sentence_of(*entities):
    """One entity of a type, right or not, with its probability, on each token; the others are missed."""
    gold = [f"S-{label}" if right else "S-other" for label, right, _ in entities]
    predicted = ["O" if value is None else f"S-{label}" for label, _, value in entities]
    probabilities = {Span(label, n, n + 1): value for n, (label, _, value) in enumerate(entities) if value is not None}
    return TaggedSentence(["w"] * len(entities), gold, predicted, probabilities)


DATA = [
    sentence_of(("A", True, 0.9), ("A", False, 0.8), ("A", True, 0.8), ("A", True, None)),
    sentence_of(("A", True, 0.6), ("B", False, 0.99), ("B", True, 0.5)),
    sentence_of(("A", False, 0.5)),
]


def test_scores_of_probabilities_against_scikit_learn():
    pairs = predicted_probabilities(DATA)
    probabilities, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    brier, likelihood = brier_score(DATA), log_likelihood(DATA)
    assert brier.mean == pytest.approx(brier_score_loss(right, probabilities))
    assert likelihood.mean == pytest.approx(-log_loss(right, probabilities))
    for measure in (brier, likelihood):
        assert measure.interval.low <= measure.mean <= measure.interval.high
        assert measure.interval.low < measure.interval.high
    assert brier_score([]).mean == 0 and brier.written(100).startswith(f"{100 * brier.mean:.2f} (")
    assert math.isfinite(log_likelihood([sentence_of(("A", False, 1.0), ("A", True, 0.0))]).mean)


def test_precision_recall_against_scikit_learn():
    pairs = [(0.9, True), (0.8, False), (0.8, True), (0.6, True), (0.5, False)]
    precision, recall, least = precision_recall_curve([pair[1] for pair in pairs], [pair[0] for pair in pairs])
    points = precision_recall(DATA)["A"]
    assert [point.threshold for point in points] == least[::-1].tolist()
    assert [point.precision for point in points] == pytest.approx(precision[:-1][::-1].tolist())
    # One of the four is missed.
    assert [point.recall for point in points] == pytest.approx((recall[:-1][::-1] * 3 / 4).tolist())


def test_thresholds_are_the_lowest_that_reach_the_precision():
    curves = precision_recall(DATA)
    assert thresholds(curves, 0.75) == {"A": 0.6, "B": 1.0}
    assert thresholds(curves, 0.9) == {"A": 0.9, "B": 1.0}
    assert thresholds(curves, 0.5) == {"A": 0.5, "B": 0.5}
    assert above(DATA, {"A": 0.6, "B": 1.0}) == Counts(3, 4, 8)
    assert thresholds({"A": [Point(0.12345678, 1.0, 1.0)]}, 0.9) == {"A": 0.123456}
