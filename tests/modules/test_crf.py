import itertools
import math
import re

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.conditional_random_field import ConditionalRandomField as AllenNlpCrf
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions
from torch.testing import assert_close

from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.nn import forward_backward
from roseq_allennlp.nn.best_paths import n_best
from roseq_allennlp.nn.forward_backward import (
    UNKNOWN,
    Potentials,
    log_likelihood,
    log_partition,
    path_score,
)
from roseq_allennlp.nn.span_probabilities import span_log_likelihood, span_probabilities
from roseq_allennlp.nn.temperature import tempered

LABELS = ["O", "B-X", "I-X", "L-X", "U-X"]
ALLOWED = allowed_transitions("BIOUL", dict(enumerate(LABELS)))
K = len(LABELS)
LENGTHS = [4, 1, 3, 2]
MASK = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)

VARIANTS = pytest.mark.parametrize(
    "start_end, constrained, weighted", list(itertools.product([False, True], repeat=3)), ids=str
)


def make(start_end=False, constrained=False, weighted=False):
    """A CRF with random scores, and random emissions and tags for `MASK`, all in float64."""
    torch.manual_seed(13)
    crf = ConditionalRandomField(K, ALLOWED if constrained else None, start_end).double()
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    if weighted:
        crf.label_weights.copy_(torch.tensor([1.0, 2.5, 3.0, 1.7, 0.5]))
    emissions = torch.randn(len(LENGTHS), max(LENGTHS), K, dtype=torch.float64)
    return crf, emissions, torch.randint(K, MASK.shape)


def all_paths(crf, emissions, length, constrained):
    """Score of every path over a sentence, best first: eq. (9), one term after the other."""
    emissions, transitions, weights = emissions.tolist(), crf.transitions.tolist(), crf.label_weights.tolist()
    start = [0.0] * K if crf.start_transitions is None else crf.start_transitions.tolist()
    end = [0.0] * K if crf.end_transitions is None else crf.end_transitions.tolist()
    scores = {}
    for path in itertools.product(range(K), repeat=length):
        if constrained and not set(itertools.pairwise([K, *path, K + 1])) <= set(ALLOWED):
            continue
        scores[path] = start[path[0]] + end[path[-1]]
        scores[path] += sum(weights[tag] * emissions[step][tag] for step, tag in enumerate(path))
        scores[path] += sum(transitions[before][after] for before, after in itertools.pairwise(path))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def log_sum(scores):
    largest = max(scores)
    return largest + math.log(sum(math.exp(score - largest) for score in scores))


@VARIANTS
def test_likelihood(start_end, constrained, weighted):
    crf, emissions, tags = make(start_end, constrained, weighted)
    expected = {"score": [], "log_z": [], "allowed_log_z": []}
    for row, length in enumerate(LENGTHS):
        scores = all_paths(crf, emissions[row], length, constrained=False)
        expected["score"].append(scores[tuple(tags[row, :length].tolist())])
        expected["log_z"].append(log_sum(scores.values()))
        expected["allowed_log_z"].append(log_sum(all_paths(crf, emissions[row], length, constrained).values()))
    expected = {name: torch.tensor(values, dtype=torch.float64) for name, values in expected.items()}

    potentials = crf.potentials(emissions, constrained=False)
    assert_close(path_score(potentials, tags, MASK), expected["score"])
    assert_close(log_partition(potentials, MASK), expected["log_z"])
    assert_close(log_partition(crf.potentials(emissions, constrained=True), MASK), expected["allowed_log_z"])
    assert_close(crf.log_partition(emissions, MASK), expected["allowed_log_z"])
    # Constraints hold for decoding only.
    assert_close(crf(emissions, tags, MASK), expected["score"] - expected["log_z"])
    assert_close(crf.float().log_partition(emissions.float(), MASK), expected["allowed_log_z"], rtol=0, atol=1e-5)


@VARIANTS
def test_token_marginals(start_end, constrained, weighted):
    crf, emissions, _ = make(start_end, constrained, weighted)
    expected = torch.zeros_like(emissions)
    for row, length in enumerate(LENGTHS):
        scores = all_paths(crf, emissions[row], length, constrained)
        log_z = log_sum(scores.values())
        for path, score in scores.items():
            for step, tag in enumerate(path):
                expected[row, step, tag] += math.exp(score - log_z)
    assert_close(crf.marginals(emissions, MASK), expected)


@VARIANTS
def test_span_probabilities(start_end, constrained, weighted):
    crf, emissions, tags = make(start_end, constrained, weighted)
    if constrained:  # one path that the constraints leave out, and valid ones
        tags = torch.tensor([[0, 1, 2, 3], [4, 0, 0, 0], [1, 3, 4, 0], [2, 3, 0, 0]])
    spans, expected = [], []
    for row, length in enumerate(LENGTHS):
        scores = all_paths(crf, emissions[row], length, constrained)
        log_z = log_sum(scores.values())
        for start, end in itertools.combinations(range(length + 1), 2):
            wanted = tuple(tags[row, start:end].tolist())
            spans.append((row, start, end))
            expected.append(sum(math.exp(score - log_z) for path, score in scores.items() if path[start:end] == wanted))
    actual = crf.span_probabilities(emissions, MASK, tags, torch.tensor(spans))
    assert_close(actual, torch.tensor(expected, dtype=torch.float64))
    assert 0 < min(p for p in expected if p) < 0.5


def test_weights_without_a_temperature_have_that_of_1():
    crf = ConditionalRandomField(3)
    weights = crf.state_dict()
    crf.temperature = 2.5
    assert float(crf.state_dict()["temperature"]) == 2.5
    crf.load_state_dict(weights)
    assert crf.temperature == 1


@VARIANTS
def test_probabilities_at_a_temperature(start_end, constrained, weighted):
    """Those of all paths, whose scores are divided by it; the loss and the paths decoded stay."""
    crf, emissions, tags = make(start_end, constrained, weighted)
    loss, (paths, scores) = crf(emissions, tags, MASK), crf.decode(emissions, MASK, 3)
    best, _ = crf.decode(emissions, MASK)
    crf.temperature = 2.5
    assert_close(crf(emissions, tags, MASK), loss)
    tempered_paths, tempered_scores = crf.decode(emissions, MASK, 3)
    assert torch.equal(tempered_paths, paths) and torch.equal(crf.decode(emissions, MASK)[0], best)
    assert_close(tempered_scores, scores / 2.5)
    marginals, log_z = crf.marginals(emissions, MASK), crf.log_partition(emissions, MASK)
    spans = torch.tensor([(row, 0, 1 + (length > 1)) for row, length in enumerate(LENGTHS)])
    actual = crf.span_probabilities(emissions, MASK, best[:, 0], spans)
    for row, length in enumerate(LENGTHS):
        paths = all_paths(crf, emissions[row], length, constrained)
        total = log_sum([score / 2.5 for score in paths.values()])
        assert log_z[row].item() == pytest.approx(total)
        probabilities = {path: math.exp(score / 2.5 - total) for path, score in paths.items()}
        for step, tag in itertools.product(range(length), range(K)):
            expected = sum(value for path, value in probabilities.items() if path[step] == tag)
            assert marginals[row, step, tag].item() == pytest.approx(expected)
        end = spans[row, 2].item()
        cut = tuple(best[row, 0, :end].tolist())
        expected = sum(value for path, value in probabilities.items() if path[:end] == cut)
        assert actual[row].item() == pytest.approx(expected)


@VARIANTS
def test_likelihood_of_spans_and_its_gradient(start_end, constrained, weighted):
    crf, emissions, _ = make(start_end, constrained, weighted)
    best, _ = crf.decode(emissions, MASK)
    spans = torch.tensor([(row, 0, 1) for row in range(len(LENGTHS))])
    right = torch.tensor([True, False, True, False])
    potentials = crf.potentials(emissions, constrained=True)

    def likelihood(temperature):
        return span_log_likelihood(tempered(potentials, temperature), MASK, best[:, 0], spans, right)

    temperature = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    probabilities = span_probabilities(tempered(potentials, 1.7), MASK, best[:, 0], spans)
    assert_close(likelihood(temperature), torch.where(right, probabilities, 1 - probabilities).log().sum())
    assert torch.autograd.gradcheck(likelihood, (temperature,))


def test_span_probability_does_not_depend_on_tags_outside():
    crf, emissions, _ = make(constrained=True)
    spans = torch.tensor([[0, 2, 4], [0, 0, 1]])
    valid, invalid = torch.tensor([[0, 0, 0, 4]] * 4), torch.tensor([[0, 3, 0, 4]] * 4)  # O, L-X, O is forbidden
    expected = crf.span_probabilities(emissions, MASK, valid, spans)
    assert (expected > 0).all()
    assert_close(crf.span_probabilities(emissions, MASK, invalid, spans), expected)


@pytest.mark.parametrize("n", [1, 3, 700])
@VARIANTS
def test_decode_is_the_n_best_of_all_paths(start_end, constrained, weighted, n):
    crf, emissions, _ = make(start_end, constrained, weighted)
    tags, scores = crf.decode(emissions, MASK, n)
    assert tags.shape == (len(LENGTHS), n, max(LENGTHS)) and scores.shape == (len(LENGTHS), n)
    for row, length in enumerate(LENGTHS):
        expected = list(all_paths(crf, emissions[row], length, constrained).items())[:n]
        found = len(expected)
        assert list(map(tuple, tags[row, :found, :length].tolist())) == [path for path, _ in expected]
        assert_close(scores[row, :found], torch.tensor([score for _, score in expected], dtype=torch.float64))
        assert (scores[row, found:] == -math.inf).all()
        assert (tags[row, :, length:] == 0).all()


@VARIANTS
def test_agrees_with_allennlp(start_end, constrained, weighted):
    crf, emissions, tags = make(start_end, constrained, weighted)
    other = AllenNlpCrf(K, ALLOWED if constrained else None, start_end).double()
    other.load_state_dict(dict(crf.named_parameters()), strict=False)
    weighted_emissions = emissions * crf.label_weights
    assert_close(crf(emissions, tags, MASK).sum(), other(weighted_emissions, tags, MASK))

    n = 2  # every sentence has as many allowed paths
    best, scores = crf.decode(emissions, MASK, n)
    for row, answers in enumerate(other.viterbi_tags(weighted_emissions, MASK, top_k=n)):
        length = LENGTHS[row]
        assert [path for path, _ in answers] == best[row, :, :length].tolist()
        assert_close(scores[row].float(), torch.tensor([score for _, score in answers]), rtol=1e-5, atol=1e-4)


def test_label_weights_act_in_decoding_and_in_probabilities():
    """AllenNLP's `ConditionalRandomFieldWeightEmission` weights the likelihood alone, so its best path stays O."""
    crf = ConditionalRandomField(2)
    torch.nn.init.zeros_(crf.transitions)
    emissions, mask = torch.tensor([[[1.0, 0.8]]]), torch.ones(1, 1, dtype=torch.bool)
    assert crf.decode(emissions, mask)[0].tolist() == [[[0]]]
    crf.label_weights.copy_(torch.tensor([1.0, 2.0]))
    tags, scores = crf.decode(emissions, mask)
    assert tags.tolist() == [[[1]]] and scores.item() == pytest.approx(1.6)
    expected = math.exp(1.6) / (math.exp(1.6) + math.exp(1.0))
    assert crf.marginals(emissions, mask)[0, 0, 1].item() == pytest.approx(expected)
    assert crf(emissions, tags[:, 0], mask).exp().item() == pytest.approx(expected)


@pytest.mark.parametrize("start_end", [False, True])
def test_gradient_of_the_loss(start_end):
    crf, emissions, tags = make(start_end, weighted=True)
    names, values = zip(*crf.named_parameters(), strict=True)

    def loss(emissions, *values):
        return -torch.func.functional_call(crf, dict(zip(names, values, strict=True)), (emissions, tags, MASK)).mean()

    inputs = [value.detach().clone().requires_grad_() for value in (emissions, *values)]
    assert len(inputs) == (4 if start_end else 2)
    assert torch.autograd.gradcheck(loss, inputs)


@VARIANTS
def test_marginals_are_the_gradient_of_log_partition(start_end, constrained, weighted):
    crf, emissions, _ = make(start_end, constrained, weighted)
    potentials = crf.potentials(emissions, constrained=True)
    scores = potentials.emissions.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(log_partition(potentials._replace(emissions=scores), MASK).sum(), scores)
    assert_close(crf.marginals(emissions, MASK), gradient)


def results(crf, emissions, tags, mask, width):
    """All that the module computes, without what stands at padding beyond `width`."""
    emissions = emissions.clone().requires_grad_()
    log_likelihood = crf(emissions, tags, mask)
    (gradient,) = torch.autograd.grad(log_likelihood.sum(), emissions)
    emissions = emissions.detach()
    best, scores = crf.decode(emissions, mask, 3)
    spans = torch.tensor([[row, 0, length] for row, length in enumerate(mask.sum(dim=1).tolist())])
    probabilities = crf.span_probabilities(emissions, mask, tags, spans)
    # Which tags fill the places of paths that do not exist is not defined.
    best = best.masked_fill(scores.isinf().unsqueeze(2), -1)
    marginals = crf.marginals(emissions, mask)
    return [log_likelihood, gradient[:, :width], best[:, :, :width], scores, probabilities, marginals[:, :width]]


@pytest.mark.parametrize("constrained", [False, True])
def test_padding_and_its_contents_change_nothing(constrained):
    crf, emissions, tags = make(True, constrained, weighted=True)
    emissions = emissions.masked_fill(~MASK.unsqueeze(2), 0.0)
    tags = torch.tensor([[0, 1, 2, 3], [4, 0, 0, 0], [1, 3, 4, 0], [0, 4, 0, 0]])
    garbage = 1e6 * torch.randn(len(LENGTHS), 9, K, dtype=torch.float64)
    mask = torch.nn.functional.pad(MASK, (0, 5))
    wide = torch.where(mask.unsqueeze(2), torch.nn.functional.pad(emissions, (0, 0, 0, 5)), garbage)
    wide_tags = torch.where(mask, torch.nn.functional.pad(tags, (0, 5)), torch.randint(K, mask.shape))
    assert_close(results(crf, wide, wide_tags, mask, 4), results(crf, emissions, tags, MASK, 4))


def test_order_of_the_batch_changes_nothing():
    crf, emissions, tags = make(True, True, True)
    order = torch.tensor([2, 0, 3, 1])
    expected = [value[order] for value in results(crf, emissions, tags, MASK, 4)]
    assert_close(results(crf, emissions[order], tags[order], MASK[order], 4), expected)


@pytest.mark.parametrize("row", [[1, 0, 1], [0, 1, 1], [0, 0, 0]], ids=["hole", "left padding", "empty"])
@pytest.mark.parametrize("method", ["forward", "marginals", "decode", "span_probabilities"])
def test_mask_must_be_a_run_from_the_left(row, method):
    crf = ConditionalRandomField(K)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], row]).bool()
    tags, emissions = torch.zeros(3, 3, dtype=torch.long), torch.zeros(3, 3, K)
    arguments = {
        "forward": (tags, mask),
        "marginals": (mask,),
        "decode": (mask,),
        "span_probabilities": (mask, tags, torch.tensor([[0, 0, 1]])),
    }
    with pytest.raises(ValueError, match=re.escape(f"sentence 2 of the batch has {row}")):
        getattr(crf, method)(emissions, *arguments[method])


@pytest.mark.parametrize("scale, length", [(1e4, 5), (1e4, 1300), (1.0, 1300)])
def test_large_scores_and_long_sentences(scale, length):
    crf, _, _ = make(constrained=True)
    sign = torch.randint(2, (2, length, K), dtype=torch.float64) * 2 - 1
    emissions = scale * sign * torch.rand(2, length, K, dtype=torch.float64)
    tags, mask = torch.randint(K, (2, length)), torch.arange(length) < torch.tensor([[length], [1]])
    spans = torch.tensor([[0, length - 1, length], [1, 0, 1]])
    log_likelihoods = []
    for dtype in (torch.float64, torch.float32):
        crf.to(dtype).zero_grad()
        values = emissions.to(dtype, copy=True).requires_grad_()
        log_likelihood = crf(values, tags, mask)
        log_likelihood.sum().backward()
        best, scores = crf.decode(values.detach(), mask)
        probabilities = crf.span_probabilities(values.detach(), mask, best[:, 0], spans)
        marginals = crf.marginals(values.detach(), mask)
        for answer in (log_likelihood, values.grad, crf.transitions.grad, scores, probabilities, marginals):
            assert answer.isfinite().all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert_close(marginals.sum(dim=2), mask.to(dtype))
        log_likelihoods.append(log_likelihood.double())
    # float32 has 24 bits: log Z is about scale * length.
    assert_close(*log_likelihoods, rtol=1e-5, atol=scale * length / 2**22)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_emissions_are_computed_in_float32(dtype):
    crf, emissions, tags = make(True, True, True)
    crf, emissions = crf.float(), emissions.to(dtype)
    spans = torch.tensor([[0, 0, 2]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = [crf(emissions, tags, MASK), crf.marginals(emissions, MASK), crf.decode(emissions, MASK)[1]]
        low.append(crf.span_probabilities(emissions, MASK, tags, spans))
    emissions = emissions.float()
    full = [crf(emissions, tags, MASK), crf.marginals(emissions, MASK), crf.decode(emissions, MASK)[1]]
    full.append(crf.span_probabilities(emissions, MASK, tags, spans))
    assert_close(low, full, rtol=0, atol=0)  # the dtypes too


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("constrained", [False, True])
def test_all_is_of_the_type_of_the_emissions(dtype, constrained):
    """Whatever the type of the weights."""
    crf, emissions, tags = make(True, True, True)
    emissions = emissions.to(dtype)
    for of_weights in (torch.float64, torch.float32):
        crf.to(of_weights)
        assert {scores.dtype for scores in crf.potentials(emissions, constrained)} == {dtype}
    assert crf.span_probabilities(emissions, MASK, tags, torch.tensor([[0, 0, 2]])).dtype == dtype


def test_constrained_decoding_gives_valid_tags_only():
    labels = ["O"] + [f"{prefix}-{label}" for prefix in "BILU" for label in "xy"]
    valid = re.compile("(O|Ux|Uy|Bx(Ix)*Lx|By(Iy)*Ly)*")
    torch.manual_seed(3)
    emissions = 3 * torch.randn(50, 12, len(labels))
    mask = torch.arange(12) < torch.randint(1, 13, (50, 1))

    def count_invalid(allowed):
        tags, scores = ConditionalRandomField(len(labels), allowed).decode(emissions, mask, 3)
        paths = [
            "".join(labels[tag].replace("-", "") for tag in path[: int(real.sum())])
            for real, paths, values in zip(mask, tags.tolist(), scores, strict=True)
            for path, value in zip(paths, values, strict=True)
            if value > -math.inf
        ]
        assert len(paths) > 140
        return sum(not valid.fullmatch(path) for path in paths)

    assert count_invalid(allowed_transitions("BIOUL", dict(enumerate(labels)))) == 0
    assert count_invalid(None) > 100


@pytest.mark.parametrize("missing", [(0, 0), (1, 0), (0, 2)], ids=["after itself", "at the start", "at the end"])
def test_constraints_need_a_tag_that_may_stand_everywhere(missing):
    allowed = allowed_transitions("BIOUL", {0: "O"})
    assert sorted(allowed) == [(0, 0), (0, 2), (1, 0)]
    ConditionalRandomField(1, allowed)
    for pairs in (set(allowed) - {missing}, [missing], []):
        with pytest.raises(ConfigurationError) as caught:
            ConditionalRandomField(1, list(pairs))
        assert caught.value.message == (
            "Constrained decoding needs a tag that may stand at the start, after itself and at the end, such as O; "
            "the label set has none. Add it to the vocabulary or turn the constraints off."
        )
    without_o = ["B-X", "I-X", "L-X"]
    with pytest.raises(ConfigurationError, match="such as O"):
        ConditionalRandomField(3, allowed_transitions("BIOUL", dict(enumerate(without_o))))


@pytest.mark.parametrize("start_end", [False, True])
def test_what_is_learned_and_what_is_saved(start_end):
    crf, _, _ = make(start_end, constrained=True, weighted=True)
    learned = {"transitions"} | ({"start_transitions", "end_transitions"} if start_end else set())
    assert dict(crf.named_parameters()).keys() == learned
    assert crf.state_dict().keys() == learned | {"label_weights"}
    assert not crf.label_weights.requires_grad
    loaded = ConditionalRandomField(K, ALLOWED, start_end)
    assert (loaded.label_weights == 1).all()
    loaded.load_state_dict(crf.state_dict())
    assert_close(loaded.label_weights.double(), crf.label_weights)


def test_no_step_needs_the_values():
    """On the `meta` device there are none, so a branch on them, or a copy to the CPU, raises."""
    crf, emissions, tags = make(True, True, True)
    crf = crf.to("meta")
    emissions, tags, mask = emissions.to("meta"), tags.to("meta"), MASK.to("meta")
    log_likelihoods = crf(emissions.requires_grad_(), tags, mask)
    assert log_likelihoods.shape == (4,)
    log_likelihoods.sum().backward()
    assert emissions.grad.shape == emissions.shape and crf.transitions.grad.shape == (K, K)
    assert crf.marginals(emissions, mask).shape == (4, 4, K)
    spans = torch.zeros(7, 3, dtype=torch.long, device="meta")
    assert crf.span_probabilities(emissions, mask, tags, spans).shape == (7,)
    for n in (1, 3):
        best, scores = crf.decode(emissions, mask, n)
        assert best.shape == (4, n, 4) and scores.shape == (4, n)


def test_minus_infinity_is_a_legal_emission():
    potentials = Potentials(torch.tensor([[[0.0, -math.inf], [1.0, 2.0]]]), *map(torch.zeros, ((2, 2), 2, 2)))
    mask = torch.ones(1, 2, dtype=torch.bool)
    assert log_partition(potentials, mask).item() == pytest.approx(math.log(math.exp(1) + math.exp(2)))
    tags, scores = n_best(potentials, mask, 3)
    assert tags[0, :2].tolist() == [[0, 1], [0, 0]] and scores.tolist() == [[2.0, 1.0, -math.inf]]


@pytest.fixture(params=["rescaled", "logarithms"])
def way(request, monkeypatch):
    """Both ways to sum over paths; that of an accelerator sums over all sentences once more."""
    if request.param == "logarithms":
        monkeypatch.setattr(forward_backward, "_messages", lambda *args: None)
        monkeypatch.setattr(forward_backward, "_partial", lambda tags, mask: torch.arange(len(tags)))


def agreeing_scores(scores, known):
    return [score for path, score in scores.items() if all(map(lambda k, tag: k in (UNKNOWN, tag), known, path))]


@VARIANTS
def test_likelihood_of_partly_known_tags(way, start_end, constrained, weighted):
    """Against all paths that agree, enumerated, with sentences of one token and sentences of which all is unknown."""
    crf, emissions, tags = make(start_end, constrained, weighted)
    scores = [all_paths(crf, emissions[row], length, constrained=False) for row, length in enumerate(LENGTHS)]
    allowed = [all_paths(crf, emissions[row], length, constrained=True) for row, length in enumerate(LENGTHS)]
    valid = torch.tensor([[0, 1, 2, 3], [4, 0, 0, 0], [1, 3, 4, 0], [1, 3, 0, 0]])
    for unknown in itertools.product([False, True], repeat=max(LENGTHS)):
        partial = tags.masked_fill(torch.tensor(unknown), UNKNOWN)
        actual = crf(emissions, partial, MASK)
        expected = []
        for row, length in enumerate(LENGTHS):
            known = partial[row, :length].tolist()
            agreeing = agreeing_scores(scores[row], known)
            expected.append(log_sum(agreeing) - log_sum(scores[row].values()))
            if set(known) == {UNKNOWN}:
                assert actual[row] == 0
        assert_close(actual, torch.tensor(expected, dtype=torch.float64))

        # The function takes forbidden transitions too: then only allowed paths count, in both sums.
        partial = valid.masked_fill(torch.tensor(unknown), UNKNOWN)
        actual = log_likelihood(crf.potentials(emissions, constrained=True), partial, MASK)
        for row, length in enumerate(LENGTHS):
            known = partial[row, :length].tolist()
            paths = allowed[row] if constrained else scores[row]
            agreeing = agreeing_scores(paths, known)
            assert actual[row].item() == pytest.approx(log_sum(agreeing) - log_sum(paths.values()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_partial_likelihood_in_lower_precision(way, dtype):
    crf, emissions, tags = make(True, True, True)
    partial = tags.masked_fill(torch.tensor([True, False, True, False]), UNKNOWN)
    rounded = emissions.to(dtype)
    expected = crf(rounded.double().requires_grad_(), partial, MASK)
    leaf = rounded.clone().requires_grad_()
    actual = crf.float()(leaf, partial, MASK)
    assert actual.dtype == torch.float32
    assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)
    actual.sum().backward()
    assert leaf.grad.dtype == dtype and leaf.grad.isfinite().all() and leaf.grad[1].eq(0).all()  # one unknown token


def test_no_step_of_partly_known_tags_needs_the_values():
    crf, emissions, tags = make(True, True, True)
    emissions = emissions.to("meta").requires_grad_()
    crf.to("meta")(emissions, tags.to("meta"), MASK.to("meta"), has_unknown=True).sum().backward()
    assert emissions.grad.shape == emissions.shape


@VARIANTS
def test_entropies_are_those_of_all_paths(start_end, constrained, weighted):
    crf, emissions, _ = make(start_end, constrained, weighted)
    expected = []
    for row, length in enumerate(LENGTHS):
        scores = all_paths(crf, emissions[row], length, constrained)
        log_z = log_sum(scores.values())
        expected.append(sum(-(score - log_z) * math.exp(score - log_z) for score in scores.values()))
    assert_close(crf.entropies(emissions, MASK), torch.tensor(expected, dtype=torch.float64))
    # Large scores, of which one path is left.
    assert_close(
        crf.entropies(1e6 * emissions, MASK), torch.zeros(len(LENGTHS), dtype=torch.float64), rtol=0, atol=1e-6
    )
