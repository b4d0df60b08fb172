"""From the pieces of sentences to rows of an encoder's input, and from its output to vectors of words."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch


class Window(NamedTuple):
    """Words of a sentence that the encoder sees together, and those that take their vectors from there; ends exclusive."""

    first: int
    end: int
    kept_first: int
    kept_end: int


def cut_words(pieces: np.ndarray, counts: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """
    `pieces` `(B, P)` and `counts` `(B, T)` of sentences, with no more than the first `size` pieces of a word: more do not
    fit into a window.
    """
    if counts.max(initial=0) <= size:
        return pieces, counts
    cut = np.zeros_like(pieces)
    for row, ids, sizes in zip(cut, pieces, counts, strict=True):
        positions = np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes)  # in its word
        kept = ids[: len(positions)][positions < size]
        row[: len(kept)] = kept
    return cut, counts.clip(max=size)


def windows_of(counts: np.ndarray, size: int, overlap: int) -> list[Window]:
    """
    Windows over a sentence, each of whole words and of at most `size` pieces, neighbours sharing at least `overlap` pieces
    where whole words allow it. Each word is kept from the window in which the nearer end that is not the sentence's own is
    farthest from it.

    # Parameters

    counts : `(T,)` int64
        Pieces of each word, each at most `size`.
    size, overlap : `int`
        In pieces; `overlap` below `size`.
    """
    ends = counts.cumsum()
    starts = ends - counts
    bounds: list[tuple[int, int]] = []
    first = 0
    while True:
        end = int(np.searchsorted(ends, starts[first] + size, side="right"))
        bounds.append((first, end))
        if end >= len(counts):
            break
        # The next one begins with the last word that leaves `overlap` pieces before `end`, and goes on in any case.
        following = int(np.searchsorted(starts, ends[end - 1] - overlap, side="right")) - 1
        first = min(max(following, first + 1), end)
        # It must reach beyond this one.
        while first < end and ends[end] - starts[first] > size:
            first += 1
    kept = [0]
    for (_, end), (following, _) in zip(bounds, bounds[1:], strict=False):
        # Words of both windows: up to the middle of the shared pieces those of the earlier one.
        middle = (starts[following] + ends[end - 1]) / 2
        kept.append(following + int(np.searchsorted((starts + ends)[following:end] / 2, middle)))
    kept.append(len(counts))
    return [Window(*bound, *pair) for bound, pair in zip(bounds, zip(kept, kept[1:], strict=False), strict=True)]


def length_groups(lengths: Sequence[int], overhead: int, max_size: int) -> Iterator[list[int]]:
    """
    Groups of rows that are computed together, each padded to its longest: positions in `lengths`, the longest first.

    # Parameters

    lengths : `Sequence[int]`
    overhead : `int`
        How much padding, in entries, costs as much as another group.
    max_size : `int`
        Entries of a group, padding included; a single row may have more.
    """
    group: list[int] = []
    padding = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if group:
            padding += lengths[group[0]] - lengths[index]
            if padding > overhead or (len(group) + 1) * lengths[group[0]] > max_size:
                yield group
                group, padding = [], 0
        group.append(index)
    if group:
        yield group


def pooling_weights(starts: torch.Tensor, counts: torch.Tensor, num_pieces: int) -> torch.Tensor:
    """
    The matrix that takes vectors of pieces to vectors of words.

    # Parameters

    starts, counts : `(B, T)` int64
        First piece of each word, and how many are averaged; 0 of them at padding.
    num_pieces : `int`
        P, the length of a row.

    # Returns

    `(B, T, P)` float32; zero for padding.
    """
    positions = torch.arange(num_pieces, device=starts.device)
    starts, counts = starts.unsqueeze(2), counts.unsqueeze(2)
    inside = (positions >= starts) & (positions < starts + counts)  # (B, T, P)
    return inside / counts.clamp(min=1)
