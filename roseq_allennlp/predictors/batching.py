"""What is read at a time, and what the model gets of it at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def windows(items: Iterable[Any], max_items: int, max_size: int) -> Iterator[list[Any]]:
    """
    Runs of items in their order, each ended by the item that brings it to `max_items` or, in all, to `max_size`:
    characters of texts, tokens of lists. No item is read before the run that it belongs to is asked for.
    """
    window: list[Any] = []
    size = 0
    for item in items:
        window.append(item)
        size += len(item) if isinstance(item, (str, list, tuple)) else 1
        if len(window) == max_items or size >= max_size:
            yield window
            window, size = [], 0
    if window:
        yield window


def length_buckets(
    sentences: Sequence[Sequence[str]], max_tokens: int, max_characters: int = 2**20
) -> Iterator[list[int]]:
    """
    Batches of sentences of about one length, the shortest first.

    # Parameters

    max_tokens : `int`
        Of a batch, padding included: sentences times the longest of them. Only a sentence alone may have more.
    max_characters : `int`, optional (default = `1_048_576`)
        Likewise: tokens, padding included, times the longest token.

    # Returns

    `Iterator[List[int]]`
        Positions in `sentences`, each once; sentences of one length in their order.
    """
    batch: list[int] = []
    longest_token = 0
    for place in sorted(range(len(sentences)), key=lambda place: len(sentences[place])):
        longest = max(map(len, sentences[place]), default=0)
        longest_token = max(longest_token, longest)
        tokens = (len(batch) + 1) * len(sentences[place])
        if batch and (tokens > max_tokens or tokens * longest_token > max_characters):
            yield batch
            batch, longest_token = [], longest
        batch.append(place)
    if batch:
        yield batch
