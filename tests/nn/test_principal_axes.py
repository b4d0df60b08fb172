import numpy as np
import pytest
import torch

from roseq_allennlp.nn.affine_map import affine_map
from roseq_allennlp.nn.principal_axes import principal_axes


def test_they_are_those_of_the_repeated_points():
    """A weight of n is the same as n times the point; NumPy's covariance of the repeated points is the reference."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(50, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 3.0
    weights = torch.randint(1, 5, (50,), generator=generator)
    mean, axes = principal_axes(vectors, weights, 4)
    repeated = np.repeat(vectors.double().numpy(), weights.numpy(), axis=0)
    np.testing.assert_allclose(mean, repeated.mean(axis=0), rtol=1e-12)
    values, expected = np.linalg.eigh(np.cov(repeated.T, bias=True))
    np.testing.assert_allclose(np.abs(axes.numpy().T @ expected[:, ::-1][:, :4]), np.eye(4), atol=1e-8)
    assert (axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)) > 0).all()
    turned = (vectors.double() - mean) @ axes
    shares = weights / weights.sum()
    np.testing.assert_allclose((shares.unsqueeze(1) * turned**2).sum(dim=0), values[::-1][:4], rtol=1e-8)


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_the_map_is_found_again(wrong):
    """Each target is the image of one of two alternatives, or of neither."""
    generator = torch.Generator().manual_seed(1)
    alternatives = torch.randn(2, 200, 10, generator=generator, dtype=torch.float64)
    mapping = torch.randn(11, 4, generator=generator, dtype=torch.float64)
    chosen = (torch.arange(200) % 3 == 0).long()
    targets = alternatives[chosen, torch.arange(200)] @ mapping[:10] + mapping[10]
    bad = torch.rand(200, generator=generator) < wrong
    targets[bad] += 5 * torch.randn(int(bad.sum()), 4, generator=generator, dtype=torch.float64)
    result, distances = affine_map(alternatives, targets)
    torch.testing.assert_close(result, mapping, atol=1e-3, rtol=0)
    assert distances[~bad].max() < 1e-2
    assert not bad.any() or distances[bad].min() > 0.1
