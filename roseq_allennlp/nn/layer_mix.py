"""A learned mix of an encoder's layers."""

from collections.abc import Sequence
from typing import Any

import torch


def mixed(weights: torch.Tensor, features: Sequence[torch.Tensor]) -> torch.Tensor:
    """
    Σ_l w_l h_l for words of sentences, without a copy of the layers.

    # Parameters

    weights : `(L,)`
    features : `Sequence[torch.Tensor]`
        h of each sentence, `(L, T_b, D)`, constants; contiguous.

    # Returns

    `(B, T, D)` in the type of `weights` and on its device, T the most words of a sentence, zero at padding. Differentiable
    in `weights`, once.
    """
    return _Mix.apply(weights, features)  # type: ignore[no-any-return]


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor, features: Sequence[torch.Tensor]) -> torch.Tensor:
        ctx.features, ctx.device = features, weights.device
        longest = max(layers.size(1) for layers in features)
        result = weights.new_zeros(len(features), longest, features[0].size(2))
        with torch.autocast(weights.device.type, enabled=False):
            for row, layers in zip(result, features, strict=True):
                vectors = weights @ layers.to(weights.device).flatten(1)
                row[: layers.size(1)] = vectors.view(layers.shape[1:])
        return result

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        with torch.autocast(ctx.device.type, enabled=False):
            result = gradient.new_zeros(ctx.features[0].size(0))
            for row, layers in zip(gradient, ctx.features, strict=True):
                result += layers.to(ctx.device).flatten(1) @ row[: layers.size(1)].flatten()
        return result, None
