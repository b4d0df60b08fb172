import math

import pytest
import torch
from scipy.optimize import minimize_scalar

from roseq_allennlp.nn.best_paths import viterbi
from roseq_allennlp.nn.forward_backward import Potentials
from roseq_allennlp.nn.span_probabilities import span_probabilities
from roseq_allennlp.nn.temperature import ScoredSpans, fit_temperature, tempered


def scored(seed: int, scale: float = 3.0, sentences: int = 8) -> ScoredSpans:
    """Random potentials with an impossible transition, their best paths, spans of one and two tokens, and what is right."""
    generator = torch.Generator().manual_seed(seed)
    emissions, transitions, start, end = (
        scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((sentences, 5, 4), (4, 4), (4,), (4,))
    )
    transitions[1, 2] = -math.inf
    potentials = Potentials(emissions, transitions, start, end)
    mask = torch.arange(5) < torch.randint(2, 6, (sentences, 1), generator=generator)
    spans = torch.tensor([(row, start, start + 1) for row in range(sentences) for start in (0, 1)])
    spans = torch.cat([spans, torch.tensor([(row, 0, 2) for row in range(sentences)])])
    is_right = torch.rand(len(spans), generator=generator) < 0.7
    return ScoredSpans(potentials, mask, viterbi(potentials, mask)[0], spans, is_right)


@pytest.mark.parametrize("seed, scale", [(1, 3.0), (2, 1.0), (3, 0.3)])
def test_the_temperature_is_the_most_likely_one(seed, scale):
    batches = [scored(seed, scale), scored(seed + 10, scale)]

    def loss(logarithm):
        total = 0.0
        for batch in batches:
            for probability, right in zip(
                batch.probabilities(math.exp(logarithm)).tolist(), batch.is_right, strict=True
            ):
                total -= math.log(probability if right else 1 - probability)
        return total

    best = minimize_scalar(loss, bounds=(-3, 4), method="bounded", options={"xatol": 1e-7})
    assert fit_temperature(batches) == pytest.approx(math.exp(best.x), rel=1e-4)
    # Batches without a span say nothing, and each span counts once, in whichever batch it is.
    empty = batches[0]._replace(spans=torch.zeros(0, 3, dtype=torch.long), is_right=torch.zeros(0, dtype=torch.bool))
    assert fit_temperature([empty, *batches, empty]) == fit_temperature(batches)
    assert empty.probabilities(2.0).tolist() == []


def test_scores_are_divided_and_what_is_impossible_stays_so():
    batch = scored(4)
    divided = tempered(batch.potentials, 2.0)
    for before, after in zip(batch.potentials, divided, strict=True):
        torch.testing.assert_close(after, before / 2)
    assert tempered(batch.potentials, 1.0) is batch.potentials
    assert divided.transitions[1, 2] == -math.inf
    temperature = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    sum(scores.nan_to_num(neginf=0).sum() for scores in tempered(batch.potentials, temperature)).backward()
    finite = sum(scores.nan_to_num(neginf=0).sum() for scores in batch.potentials)
    torch.testing.assert_close(temperature.grad, -finite / 4)
    expected = span_probabilities(divided, batch.mask, batch.tags, batch.spans)
    torch.testing.assert_close(batch.probabilities(2.0), expected)


@pytest.mark.parametrize("right, message", [(True, "24 entities, all of them right"), (False, "all of them wrong")])
def test_without_right_or_wrong_ones_there_is_none(right, message):
    batch = scored(5)
    with pytest.raises(ValueError, match=f"{message}, so no temperature can be fitted"):
        fit_temperature([batch._replace(is_right=torch.full_like(batch.is_right, right))])
    with pytest.raises(ValueError, match="predicts no entity, so no temperature"):
        fit_temperature([])
