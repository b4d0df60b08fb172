import math

import pytest
import torch
from torch.testing import assert_close

from roseq_allennlp.nn.focal_loss import focal_loss


def random_batch(dtype=torch.float64):
    torch.manual_seed(7)
    return torch.randn(3, 4, 5, dtype=dtype), torch.randint(5, (3, 4))


def test_gamma_zero_is_cross_entropy():
    logits, targets = random_batch()
    expected = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    assert_close(focal_loss(logits, targets, 0.0), expected)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.5])
def test_formula(gamma):
    logits, targets = random_batch()
    actual = focal_loss(logits, targets, gamma)
    assert actual.shape == targets.shape
    for row in range(3):
        for step in range(4):
            weights = [math.exp(x) for x in logits[row, step].tolist()]
            q = weights[targets[row, step]] / sum(weights)
            assert actual[row, step].item() == pytest.approx(-((1 - q) ** gamma) * math.log(q))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradient(gamma):
    logits, targets = random_batch()
    assert torch.autograd.gradcheck(lambda logits: focal_loss(logits, targets, gamma), logits.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("gap", [10.0, 17.0, 40.0, 90.0, 800.0])
def test_a_sure_token_has_a_small_finite_gradient(gap, gamma, dtype):
    logits = torch.tensor([[gap, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0]), gamma)
    loss.sum().backward()
    assert loss.isfinite().all() and logits.grad.isfinite().all()
    assert 0 <= loss.item() < 1e-3 and logits.grad.abs().max() < 1e-3


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_a_hopeless_token_has_a_finite_gradient(gamma):
    logits = torch.tensor([[0.0, 500.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0]), gamma)
    loss.sum().backward()
    assert loss.item() == pytest.approx(500.0)
    assert_close(logits.grad, torch.tensor([[-1.0, 1.0]]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_computed_in_float32(dtype):
    logits, targets = random_batch(dtype)
    actual = focal_loss(logits, targets, 2.0)
    assert actual.dtype == torch.float32
    assert_close(actual, focal_loss(logits.double(), targets, 2.0).float())
