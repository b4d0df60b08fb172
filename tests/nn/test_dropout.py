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
    assert_close(dropout(values, p, training), values if p < 1 else torch.zeros(9))
