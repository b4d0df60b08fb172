"""Sentences turned round within their own lengths, so that a recursion from the right never meets padding."""

from typing import Any

import torch


def mirrored_positions(mask: torch.Tensor) -> torch.Tensor:
    """
    For each token of a `(B, T)` mask, true for real tokens at the left, the position that it has in the sentence turned
    round, `(B, T)` int64. Padding keeps its position, and the order undoes itself.
    """
    position = torch.arange(mask.size(1), device=mask.device)  # (T,)
    last = mask.sum(dim=1, keepdim=True) - 1  # (B, 1)
    return torch.where(position <= last, last - position, position)


def mirror(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Turns each sentence of `(B, T, D)` round within its own length; `mask` is `(B, T)`. Padding stays where it is."""
    sentences = torch.arange(mask.size(0), device=mask.device).unsqueeze(1)  # (B, 1)
    order = mirrored_positions(mask) + mask.size(1) * sentences  # (B, T), rows of the flattened values
    return _Mirror.apply(values.flatten(0, 1), order.flatten()).view_as(values)  # type: ignore[no-any-return]


class _Mirror(torch.autograd.Function):
    """Rows of `(N, D)` in an order that undoes itself, so that the gradient is a plain selection too."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(order)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0].index_select(0, *ctx.saved_tensors), None
