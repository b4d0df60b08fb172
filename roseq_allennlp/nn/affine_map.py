"""An affine map found again from what it has mapped."""

import torch

_ROUNDS = 30
_SMALLEST = 1e-3  # of a residual's norm, so that no point takes all the weight


def affine_map(alternatives: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The affine map for which most `targets` are the image of one of their alternatives, by least squares reweighted towards
    the points that fit.

    # Parameters

    alternatives : `(A, N, H)` float64
        What each of N targets may have been mapped from; N well above H.
    targets : `(N, dim)` float64

    # Returns

    The map `(H + 1, dim)`, whose last row is added, and for each target the distance `(N,)` from the image of the
    alternative that fits best.
    """
    inputs = torch.nn.functional.pad(alternatives, (0, 1), value=1.0)  # (A, N, H + 1)
    rows = torch.arange(len(targets))
    chosen, weights = torch.zeros_like(rows), targets.new_ones(len(targets), 1)
    for _ in range(_ROUNDS):
        mapping = torch.linalg.lstsq(weights * inputs[chosen, rows], weights * targets).solution  # (H + 1, dim)
        distances, chosen = (inputs @ mapping - targets).norm(dim=2).min(dim=0)  # (N,), (N,)
        weights = distances.clamp(min=_SMALLEST).rsqrt().unsqueeze(1)  # (N, 1)
    return mapping, distances
