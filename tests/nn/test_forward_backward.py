import math

import numpy as np
import pytest
import torch
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions
from torch.testing import assert_close

from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.nn import forward_backward
from roseq_allennlp.nn.best_paths import viterbi
from roseq_allennlp.nn.forward_backward import (
    UNKNOWN,
    Potentials,
    _messages,
    backward_scores,
    forward_scores,
    log_likelihood,
    log_partition,
    log_sums,
    path_score,
    token_marginals,
)
from roseq_allennlp.nn.span_probabilities import span_probabilities

ALLOWED = allowed_transitions("BIOUL", dict(enumerate(["O", "B-X", "I-X", "L-X", "U-X"])))


def ragged(seed, batch_size, length, num_tags, dtype=torch.float64, scale=1.0, transition_scale=1.0):
    """Random potentials that need gradients, tags and a mask with one full sentence and one of a single token."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch_size, length, num_tags), (num_tags, num_tags), (num_tags,), (num_tags,)
    scales = scale, transition_scale, transition_scale, transition_scale
    values = [
        factor * torch.randn(shape, generator=generator, dtype=dtype)
        for shape, factor in zip(shapes, scales, strict=True)
    ]
    lengths = torch.randint(1, length + 1, (batch_size, 1), generator=generator)
    lengths[0], lengths[-1] = length, 1
    tags = torch.randint(num_tags, (batch_size, length), generator=generator)
    return Potentials(*(value.requires_grad_() for value in values)), tags, torch.arange(length) < lengths


def plain_log_likelihood(potentials, tags, mask):
    """By autograd through the recursion, in float64."""
    potentials = Potentials(*(value.double() for value in potentials))
    return path_score(potentials, tags, mask) - log_partition(potentials, mask)


def gradients(function, potentials, tags, mask):
    value = function(potentials, tags, mask)
    factors = torch.linspace(-1, 2, len(value)).to(value)  # each sentence with its own, one of them negative
    return value, *torch.autograd.grad((value * factors).sum(), list(potentials), materialize_grads=True)


@pytest.fixture(params=["rescaled", "logarithms"])
def way(request, monkeypatch):
    """Both ways to sum over paths."""
    if request.param == "logarithms":
        monkeypatch.setattr(forward_backward, "_messages", lambda *args: None)
    return request.param


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (5, 2, 4), (6, 9, 5), (3, 40, 17)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_likelihood_and_its_gradient_are_those_of_autograd(way, shape, dtype):
    potentials, tags, mask = ragged(7, *shape, dtype, scale=3.0)
    expected = gradients(plain_log_likelihood, potentials, tags, mask)
    actual = gradients(log_likelihood, potentials, tags, mask)
    tolerance = 1e-10 if dtype == torch.float64 else 3e-5
    for found, wanted in zip(actual, expected, strict=True):
        assert found.dtype == dtype
        assert_close(found.double(), wanted.double(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scale, transition_scale", [(1e4, 1.0), (1.0, 1e4), (1e4, 1e4), (1e-4, 30.0), (300.0, 9.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_of_any_size(way, scale, transition_scale, dtype):
    potentials, tags, mask = ragged(11, 8, 30, 9, dtype, scale, transition_scale)
    expected = gradients(plain_log_likelihood, potentials, tags, mask)
    actual = gradients(log_likelihood, potentials, tags, mask)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-9
    tolerance = max(tolerance, 2 * torch.finfo(dtype).eps * scale)  # to which scores of this size are known
    for found, wanted in zip(actual, expected, strict=True):
        assert_close(found.double(), wanted.double(), rtol=tolerance, atol=tolerance)


def test_1300_tokens_with_label_weights_of_10(way):
    torch.manual_seed(5)
    crf = ConditionalRandomField(25)
    crf.label_weights.uniform_(1, 10)
    emissions = (5 * torch.randn(2, 1300, 25)).requires_grad_()
    tags, mask = torch.randint(25, (2, 1300)), torch.arange(1300) < torch.tensor([[1300], [1299]])
    actual = crf(emissions, tags, mask)
    exact = crf.potentials(emissions.double(), constrained=False)
    expected = plain_log_likelihood(exact, tags, mask)
    assert_close(actual, expected.float(), rtol=1e-6, atol=0)
    parameters = [emissions, crf.transitions]
    for found, wanted in zip(
        torch.autograd.grad(actual.sum(), parameters), torch.autograd.grad(expected.sum(), parameters), strict=False
    ):
        assert_close(found, wanted, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("scale", [1.0, 50.0, 1e4])
def test_sums_over_allowed_paths_are_those_of_the_recursion(scale):
    """At 1e4 only a tag that the sentence up to there makes all but impossible may be allowed to follow."""
    torch.manual_seed(3)
    crf = ConditionalRandomField(5, ALLOWED, include_start_end_transitions=True)
    mask = torch.arange(30) < torch.randint(1, 31, (40, 1))
    potentials = crf.potentials(scale * torch.randn(40, 30, 5, dtype=torch.float64), constrained=True)
    alphas, betas, log_z = log_sums(potentials, mask)
    assert_close(log_z, log_partition(potentials, mask), rtol=1e-12, atol=1e-9)
    real = mask.t()
    assert_close(alphas[real], forward_scores(potentials, mask)[real], rtol=1e-12, atol=1e-9)
    assert_close(betas[real], backward_scores(potentials, mask)[real], rtol=1e-12, atol=1e-9)
    assert (_messages(potentials, mask) is None) == (scale == 1e4)  # there it may not trust itself


def test_the_rescaled_way_declines_where_a_path_would_be_lost():
    """The best path starts with a tag that is exp(-2000) as likely as another, which no path can go on from."""
    emissions = torch.tensor([[[0.0, -2000.0], [-3000.0, 0.0]]], dtype=torch.float64)
    transitions = torch.tensor([[0.0, -math.inf], [0.0, 0.0]], dtype=torch.float64)
    potentials, mask = Potentials(emissions, transitions, *torch.zeros(2, 2).double()), torch.ones(1, 2).bool()
    assert _messages(potentials, mask) is None
    assert log_sums(potentials, mask)[2].item() == -2000.0
    assert_close(token_marginals(potentials, mask), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]], dtype=torch.float64))


def test_the_loss_of_a_sentence_does_not_depend_on_its_batch():
    potentials, tags, mask = ragged(19, 12, 33, 7)
    together = log_likelihood(potentials, tags, mask)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = potentials._replace(emissions=potentials.emissions[row : row + 1, :length])
        assert_close(
            log_likelihood(alone, tags[row : row + 1, :length], mask[row : row + 1, :length])[0], together[row]
        )


def test_padding_has_no_say():
    potentials, tags, mask = ragged(23, 4, 9, 5)
    spoiled = torch.where(mask.unsqueeze(2), potentials.emissions, math.nan)
    expected = gradients(log_likelihood, potentials, tags, mask)
    actual = gradients(log_likelihood, potentials._replace(emissions=spoiled), tags, mask)
    assert_close(actual[0], expected[0])
    assert_close(actual[1], expected[1])
    assert (actual[1][~mask] == 0).all()


@pytest.mark.parametrize("favoured_by", ["transitions", "start", "end"])
@pytest.mark.parametrize("factor", [0.3, 0.49, 0.51, 0.9, 1.1, 1.2, 1.4, 2.0, 3.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_path_is_lost_at_any_size_of_start_end_and_transitions(favoured_by, factor, dtype):
    """
    Tag 1 is as much less likely at a token as it is favoured by what comes after or before: paths through either weigh the
    same, and the share of tag 1 at that token underflows where the rescaled way does not decline.
    """
    size = -factor * math.log(torch.finfo(dtype).tiny)
    emissions, favour = torch.zeros(1, 2, 2, dtype=dtype), torch.tensor([-size, 0.0], dtype=dtype)
    emissions[0, 1 if favoured_by == "end" else 0, 1] = -size
    scores = {
        "transitions": torch.zeros(2, 2, dtype=dtype),
        "start": torch.zeros(2).to(dtype),
        "end": torch.zeros(2).to(dtype),
    }
    scores[favoured_by] = favour.unsqueeze(1).expand(2, 2) if favoured_by == "transitions" else favour
    potentials, mask = Potentials(emissions, **scores), torch.ones(1, 2, dtype=torch.bool)
    assert _messages(potentials, mask) is not None or factor > 0.5  # where nothing can be lost it stays fast
    log_z = -size + math.log(4)
    for tags in ([0, 0], [1, 1]):
        likelihood = log_likelihood(potentials, torch.tensor([tags]), mask).item()
        assert likelihood == pytest.approx(-size - log_z, abs=size * torch.finfo(dtype).eps)
    assert log_sums(potentials, mask)[2].item() == pytest.approx(log_z)
    assert_close(token_marginals(potentials, mask), torch.full((1, 2, 2), 0.5, dtype=torch.float64))


@pytest.mark.parametrize("scale", [60.0, 300.0, 900.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_start_end_and_transitions_of_any_size(scale, dtype):
    for seed in range(3):
        potentials, tags, mask = ragged(seed, 6, 12, 4, dtype)
        with torch.no_grad():
            for scores in potentials[1:]:
                scores.mul_(scale)
        expected = gradients(plain_log_likelihood, potentials, tags, mask)
        actual = gradients(log_likelihood, potentials, tags, mask)
        tolerance = (2e-5 if dtype == torch.float32 else 1e-10) * scale
        for found, wanted in zip(actual, expected, strict=True):
            assert_close(found.double(), wanted.double(), rtol=tolerance, atol=tolerance)


def test_the_faster_way_is_taken_whatever_the_size_of_the_emissions(monkeypatch):
    monkeypatch.setattr(forward_backward, "forward_scores", None)
    for scale in (1.0, 100.0, 1e4):
        potentials, tags, mask = ragged(29, 6, 12, 4, scale=scale)
        assert log_sums(potentials, mask)[2].isfinite().all()
        assert log_likelihood(potentials, tags, mask).isfinite().all()


def exact_log_probabilities(potentials, tags, spans):
    """Probabilities of the spans of one sentence, by `forward_scores` and `backward_scores` in 64 bits of precision in place of 53."""
    emissions, transitions, start, end = (scores.numpy().astype(np.longdouble) for scores in potentials)
    emissions, tags = emissions[0], tags[0].tolist()
    alphas, betas = [start + emissions[0]], [end]
    for emission in emissions[1:]:
        alphas.append(np.logaddexp.reduce(alphas[-1][:, None] + transitions, axis=0) + emission)
    for emission in emissions[:0:-1]:
        betas.append(np.logaddexp.reduce(transitions + (emission + betas[-1]), axis=1))
    betas, log_z = betas[::-1], np.logaddexp.reduce(alphas[-1] + end)
    for _, first, after in spans.tolist():
        inside = sum(transitions[tags[i - 1], tags[i]] + emissions[i, tags[i]] for i in range(first + 1, after))
        yield float(alphas[first][tags[first]] + inside + betas[after - 1][tags[after - 1]] - log_z)


@pytest.mark.parametrize("scale", [1.0, 900.0])
@pytest.mark.parametrize("constrained", [False, True])
def test_the_rounding_of_span_probabilities_is_bounded(way, scale, constrained):
    """Also beside steps of score -inf, and where a sentence's score is a million times that of a span."""
    torch.manual_seed(41)
    length, eps = 3000, torch.finfo(torch.float64).eps
    potentials, tags, _ = ragged(41, 1, length, 5, scale=scale, transition_scale=scale)
    if constrained:
        crf = ConditionalRandomField(5, ALLOWED)
        crf.transitions.data = potentials.transitions.detach().float()
        potentials = crf.potentials(potentials.emissions, constrained=True)
    potentials = Potentials(*(scores.detach() for scores in potentials))
    mask = torch.ones(1, length, dtype=torch.bool)
    tags = viterbi(potentials, mask)[0].where(torch.rand(length) < 0.9, tags)
    starts = torch.randint(length, (300,))
    spans = torch.stack([torch.zeros_like(starts), starts, starts + 1 + torch.randint(9, (300,))], dim=1)
    spans = torch.cat([spans[spans[:, 2] <= length], torch.tensor([[0, 0, length]])])
    actual = span_probabilities(potentials, mask, tags, spans)
    expected = list(exact_log_probabilities(potentials, tags, spans))
    assert sum(value > math.log(0.1) for value in expected) > 50 < sum(value < math.log(0.1) for value in expected)
    bound = 40 * eps * length * 4 * scale  # 40 roundings of what the score of a sentence is at most
    for probability, value in zip(actual.tolist(), expected, strict=True):
        assert abs(probability - math.exp(value)) <= bound


def test_no_probability_of_a_span_is_above_1():
    """Where there is one tag, each is 1, and about half of them would be rounded to more."""
    potentials, tags, mask = ragged(31, 200, 20, 1, scale=100.0)
    spans = torch.tensor([[row, 0, 1] for row in range(200)])
    probabilities = span_probabilities(Potentials(*(scores.detach() for scores in potentials)), mask, tags, spans)
    assert (probabilities <= 1).all() and (probabilities > 1 - 1e-9).all()


@pytest.mark.parametrize("name, times", [("emissions", 9), ("transitions", 8), ("start", 1), ("end", 1)])
@pytest.mark.parametrize("shift", [-500.0, 500.0])
def test_a_number_added_to_all_scores_of_a_kind_is_added_to_each_path(way, name, times, shift):
    potentials, tags, _ = ragged(37, 4, 9, 5)
    mask = torch.ones(4, 9, dtype=torch.bool)
    potentials = Potentials(*(scores.detach() for scores in potentials))
    shifted = potentials._replace(**{name: getattr(potentials, name) + shift})
    before, after = log_sums(potentials, mask), log_sums(shifted, mask)
    assert_close(after[2], before[2] + times * shift)
    assert_close(after[0] + after[1], before[0] + before[1] + times * shift)
    assert_close(log_likelihood(shifted, tags, mask), log_likelihood(potentials, tags, mask))


def plain_partial_log_likelihood(potentials, tags, mask):
    """By autograd through the recursion over the agreeing tags, in float64."""
    potentials = Potentials(*(value.double() for value in potentials))
    others = (tags.unsqueeze(2) != torch.arange(potentials.emissions.size(2))) & (tags != UNKNOWN).unsqueeze(2)
    agreeing = potentials._replace(emissions=potentials.emissions.masked_fill(others, -1e30))
    return log_partition(agreeing, mask) - log_partition(potentials, mask)


def partly_known(tags, share, seed=3):
    """Some tags unknown; of the first sentence all, of the second none where there is another."""
    unknown = torch.rand(tags.shape, generator=torch.Generator().manual_seed(seed)) < share
    unknown[0] = True
    if len(tags) > 2:
        unknown[1] = False
    return tags.masked_fill(unknown, UNKNOWN)


@pytest.fixture(params=["chosen sentences", "all sentences"])
def sentences(request, monkeypatch):
    """Those that are summed over once more: on the CPU those that are known in part, on an accelerator all."""
    if request.param == "all sentences":
        monkeypatch.setattr(forward_backward, "_partial", lambda tags, mask: torch.arange(len(tags)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (5, 2, 4), (6, 9, 5), (3, 40, 17)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_partial_likelihood_and_its_gradient_are_those_of_autograd(way, sentences, shape, dtype, share):
    potentials, tags, mask = ragged(7, *shape, dtype, scale=3.0)
    tags = partly_known(tags, share)
    expected = gradients(plain_partial_log_likelihood, potentials, tags, mask)
    actual = gradients(log_likelihood, potentials, tags, mask)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-4
    for result, wanted in zip(actual, expected, strict=True):
        assert result.dtype == dtype
        assert_close(result.double(), wanted.double(), rtol=tolerance, atol=tolerance)
    assert actual[0][0] == 0 and (actual[1][0] == 0).all()  # exactly: nothing is known of the sentence


def test_gradcheck_of_the_partial_likelihood(way, sentences):
    potentials, tags, mask = ragged(3, 4, 5, 3)
    tags = partly_known(tags, 0.5)
    assert torch.autograd.gradcheck(lambda *scores: log_likelihood(Potentials(*scores), tags, mask), tuple(potentials))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_tags_at_padding_do_not_count(way, sentences, share):
    potentials, tags, mask = ragged(5, 6, 9, 4)
    tags = partly_known(tags, share)
    expected = gradients(log_likelihood, potentials, tags.masked_fill(~mask, 0), mask)
    for padding in (UNKNOWN, 3):
        actual = gradients(log_likelihood, potentials, tags.masked_fill(~mask, padding), mask)
        for result, wanted in zip(actual, expected, strict=True):
            assert_close(result, wanted)


@pytest.mark.parametrize("scale, transition_scale", [(1e4, 1.0), (1.0, 1e4), (1e-4, 30.0), (300.0, 9.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_partial_likelihood_of_scores_of_any_size(way, sentences, scale, transition_scale, dtype):
    potentials, tags, mask = ragged(11, 8, 30, 9, dtype, scale, transition_scale)
    tags = partly_known(tags, 0.5)
    expected = gradients(plain_partial_log_likelihood, potentials, tags, mask)
    actual = gradients(log_likelihood, potentials, tags, mask)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-9
    tolerance = max(tolerance, 2 * torch.finfo(dtype).eps * max(scale, transition_scale))
    for result, wanted in zip(actual, expected, strict=True):
        assert_close(result.double(), wanted.double(), rtol=tolerance, atol=tolerance)


def test_the_likelihood_of_a_partial_sentence_does_not_depend_on_its_batch(way):
    potentials, tags, mask = ragged(19, 12, 33, 7)
    tags = partly_known(tags, 0.5)
    together = log_likelihood(potentials, tags, mask)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = potentials._replace(emissions=potentials.emissions[row : row + 1, :length])
        assert_close(
            log_likelihood(alone, tags[row : row + 1, :length], mask[row : row + 1, :length])[0], together[row]
        )
    assert (together <= 0).all()


def test_what_is_not_unknown_costs_no_second_sum(monkeypatch):
    """Sentences that are known, or not at all, are not summed over once more."""
    sizes = []
    messages = forward_backward._messages
    monkeypatch.setattr(forward_backward, "_messages", lambda p, mask: (sizes.append(len(mask)), messages(p, mask))[1])
    potentials, tags, mask = ragged(19, 12, 33, 7)
    log_likelihood(potentials, tags, mask)
    log_likelihood(potentials, partly_known(tags, 0.0), mask)
    log_likelihood(potentials, partly_known(tags, 0.7), mask)
    assert sizes[:2] == [12, 12] and 12 < sizes[2] < 23
