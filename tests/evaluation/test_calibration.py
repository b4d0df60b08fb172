import numpy as np
import pytest

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.calibration import (
    expected_calibration_error,
    predicted_probabilities,
    reliability,
)
from roseq_allennlp.evaluation.tagged_data import TaggedSentence


def test_by_hand():
    bins = reliability([(0.05, False), (0.1, True), (0.11, False), (0.95, True), (1.0, True), (0.0, False)])
    assert [(part.low, part.high, part.entities) for part in bins] == [(0, 0.1, 3), (0.1, 0.2, 1), (0.9, 1, 2)]
    assert [part.share_correct for part in bins] == [pytest.approx(1 / 3), 0, 1]
    assert bins[2].mean_probability == pytest.approx(0.975)
    expected = (3 * abs(1 / 3 - 0.05) + 1 * 0.11 + 2 * 0.025) / 6
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_against_numpy():
    generator = np.random.default_rng(2)
    probabilities = generator.uniform(size=2000)
    correct = generator.uniform(size=2000) < probabilities**2
    bins = reliability(list(zip(probabilities.tolist(), correct.tolist(), strict=True)))
    indices = np.digitize(probabilities, np.linspace(0, 1, 11)[1:-1], right=True)
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
