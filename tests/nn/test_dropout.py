import pytest
import torch
from torch.testing import assert_close

from roseq_allennlp.nn.dropout import dropout


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_drops_with_probability_p_and_keeps_the_mean(p):
    torch.manual_seed(1)
    values = torch.ones(1_000_003)  # not a multiple of four
    dropped = dropout(values, p, True)
    kept = dropped != 0
    deviation = (p * (1 - p) / len(values)) ** 0.5
    assert abs(kept.double().mean() - (1 - p)) < 5 * deviation
    assert_close(dropped[kept], torch.full_like(dropped[kept], 1 / (1 - p)), rtol=1e-4, atol=0)
    for lag in range(1, 9):  # neighbours share a random number, of which each has bits of its own
        together = (kept[lag:] & kept[:-lag]).double().mean()
        assert abs(together - (1 - p) ** 2) < 5 * deviation


@pytest.mark.parametrize("p", [2**-16, 0.2, 0.5, 1 - 2**-16])
def test_each_of_the_2_to_the_16_patterns_of_bits_counts_the_same(monkeypatch, p):
    def each_once(bits, *bounds):
        bits.view(torch.int16)[: 2**16] = torch.arange(-(2**15), 2**15, dtype=torch.int16)
        return bits

    monkeypatch.setattr(torch.Tensor, "random_", each_once)
    monkeypatch.delattr(torch.nn.functional, "dropout")  # the slower one is for other devices, and for all or nothing
    values = dropout(torch.ones(2**16), p, True)
    assert (values == 0).sum() == round(p * 2**16)
    assert values.sum().item() == pytest.approx(2**16)


def test_gradient_goes_where_values_went():
    torch.manual_seed(1)
    values = torch.randn(3, 5, 7, requires_grad=True)
    dropped = dropout(values, 0.4, True)
    dropped.sum().backward()
    assert_close(values.grad * values.detach(), dropped.detach())
    assert 20 < (values.grad == 0).sum() < 64


def test_seeded():
    values = torch.ones(50)
    torch.manual_seed(4)
    first = dropout(values, 0.5, True)
    assert not torch.equal(dropout(values, 0.5, True), first)
    torch.manual_seed(4)
    assert torch.equal(dropout(values, 0.5, True), first)


@pytest.mark.parametrize("p, training", [(0.0, True), (1e-9, True), (0.5, False), (1.0, True)])
def test_all_or_nothing(p, training):
    values = torch.randn(9)
    state = torch.get_rng_state()
    dropout(values, p, training)
    if p == 0 or not training:
        assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn
    assert_close(dropout(values, p, training), values if p < 1 else torch.zeros(9))
