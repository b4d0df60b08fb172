"""Convolution over windows of characters and its maximum over words, without padding (eqs. 1 and 2)."""

from typing import Any

import torch


def looked_up_scores(ids: list[torch.Tensor], embeddings: list[torch.Tensor], weight: torch.Tensor) -> torch.Tensor:
    """
    Scores of all windows of a row of characters, `(characters, filters)`. A filter's product with a character at one
    position of the window is the same in every window, so it is computed once for the alphabet and looked up.

    # Parameters

    ids : `(characters,)` int64, for each input
    embeddings : `(alphabet, channels of the input)`, for each input
    weight : `(filters, channels of all inputs, widest)`
    """
    widest = weight.size(2)
    tables, entries, size = [], [], 0
    for characters, embedding, part in zip(
        ids, embeddings, weight.split([e.size(1) for e in embeddings], dim=1), strict=False
    ):
        tables += [embedding @ part[:, :, shift].t() for shift in range(widest)]
        padded = torch.nn.functional.pad(characters, (0, widest - 1))
        entries += [padded[shift : shift + len(characters)] + size + shift * len(embedding) for shift in range(widest)]
        size += widest * len(embedding)
    table = torch.cat(tables).to(weight.dtype)
    return torch.nn.functional.embedding_bag(torch.stack(entries, dim=1), table, mode="sum")


def segment_maximum(rows: torch.Tensor, segment: torch.Tensor, num_segments: int) -> torch.Tensor:
    """
    Maximum over the rows of each segment, eq. (2): `(num_segments, D)` from `rows` `(N, D)` and the index of each row's
    segment, `(N,)` int64. Equal maxima share the gradient, as those of `amax` do; a segment without rows has −∞.
    """
    return _SegmentMaximum.apply(rows, segment, num_segments)  # type: ignore[no-any-return]


class _SegmentMaximum(torch.autograd.Function):
    """See `segment_maximum`."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, segment: torch.Tensor, num_segments: int) -> torch.Tensor:
        maxima = rows.new_full((num_segments, rows.size(1)), -torch.inf)
        maxima.scatter_reduce_(0, segment.unsqueeze(1).expand_as(rows), rows, "amax")
        ctx.save_for_backward(rows, segment, maxima)
        return maxima

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        rows, segment, maxima = ctx.saved_tensors
        wins = (rows == maxima.index_select(0, segment)).to(rows.dtype)
        shares = gradients[0] / torch.zeros_like(maxima).index_add_(0, segment, wins)
        return wins.mul_(shares.index_select(0, segment)), None, None
