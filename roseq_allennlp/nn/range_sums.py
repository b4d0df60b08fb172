"""Sums over many ranges of a row."""

import torch


def range_sums(values: torch.Tensor, rows: torch.Tensor, starts: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """
    The sum of `values[rows[i], starts[i] : starts[i] + lengths[i]]` for each range i, `(S,)`, in time and memory for
    `(B, T)` and `(S,)` alone. No step synchronises with the device.

    Running sums would take a difference for each range, which loses what is small beside the sums, and everything that
    follows an infinite value. Here each range is put together of sums over 1, 2, 4, … values, as its length is of those
    numbers, and nothing is taken away.

    # Parameters

    values : `(B, T)` float
    rows, starts, lengths : `(S,)` int64
        Ranges within a row; a length of 0 gives 0.
    """
    longest = values.size(1)
    sums = values.new_zeros(rows.size(0))  # (S,)
    width = 1
    while True:
        part = lengths.bitwise_and(width)  # (S,), `width` or 0
        sums = sums + torch.where(part != 0, values[rows, starts.clamp(max=longest - 1)], 0.0)
        starts = starts + part
        if 2 * width > longest:
            return sums
        values = values + torch.nn.functional.pad(values[:, width:], (0, width))  # over twice as many
        width *= 2
