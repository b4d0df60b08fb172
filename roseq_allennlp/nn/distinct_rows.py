"""Distinct rows of a table of integers."""

from typing import Optional

import torch

HASH_FACTOR = 6364136223846793005  # odd, and spread over 64 bits


def distinct_rows(table: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
    """
    Picks one row for each distinct content.

    # Parameters

    table : `(N, D)` int64
    rows : `(n,)` int64
        Indices of the table's rows to look at.

    # Returns

    `(d,)` int64, the indices of the picked rows; and `(n,)` int64, for each of `rows` its index among those. `None` in place
    of the latter says that all of `rows` were picked, in their order.
    """
    values = table.index_select(0, rows)
    # Rows are told apart by a hash (a polynomial modulo 2**64) and then compared, since unequal rows may share a hash.
    powers = torch.full((table.size(1),), HASH_FACTOR).cumprod(dim=0)
    hashes, occurrences = torch.unique((values * powers).sum(dim=1), return_inverse=True)
    picked = torch.empty_like(hashes).scatter_(0, occurrences, torch.arange(len(rows)))
    if not torch.equal(values, values[picked[occurrences]]):
        return rows, None
    return rows[picked], occurrences
