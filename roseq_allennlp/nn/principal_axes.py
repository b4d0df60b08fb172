"""Principal component analysis with weights."""

import torch


def principal_axes(vectors: torch.Tensor, weights: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The mean of `vectors` `(N, H)` and the directions in which they vary most about it, the first most of all.

    # Parameters

    weights : `(N,)`
        How much each vector counts, in any unit.
    dim : `int`
        How many directions, at most H.

    # Returns

    `(H,)` and `(H, dim)`, in float64. The columns are orthonormal; the entry of a column that is largest in size is positive, so that the
    result does not depend on the machine.
    """
    vectors, shares = vectors.double(), (weights / weights.sum()).double().unsqueeze(1)  # (N, 1)
    mean = (shares * vectors).sum(dim=0)  # (H,)
    centred = vectors - mean
    # Ascending, as `eigh` has them.
    axes = torch.linalg.eigh((shares * centred).t() @ centred).eigenvectors.flip(1)[:, :dim]  # (H, dim)
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))  # (1, dim)
    return mean, axes * largest.sign()
