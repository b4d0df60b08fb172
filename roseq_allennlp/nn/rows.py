"""Steps through long tensors."""

from collections.abc import Iterator
from itertools import chain

import torch

_BLOCK = 1024


def by_token(rows: torch.Tensor, backwards: bool = False) -> Iterator[torch.Tensor]:
    """
    Views of each of the outermost rows, in order or from the last to the first; never of all rows of a long sentence at once,
    since a view takes more memory than the numbers that it shows.
    """
    order = -1 if backwards else 1
    return chain.from_iterable(block.unbind(0)[::order] for block in rows.split(_BLOCK)[::order])
