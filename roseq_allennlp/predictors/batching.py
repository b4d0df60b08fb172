"""What is read at a time, and what the model gets of it at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Optional


def size_of(item: Any) -> int:
    """Characters of a text, tokens of a list."""
    return len(item) if isinstance(item, (str, list, tuple)) else 1


def windows(
    items: Iterable[Any], max_items: int, max_size: int, size_of: Callable[[Any], int] = size_of
) -> Iterator[list[Any]]:
    """
    Runs of items in their order, each ended by the item that brings it to `max_items` or, in all, to `max_size`. No item
    is read before the run that it belongs to is asked for. An exception of `items` comes after the run of the items
    before it.
    """
    iterator = iter(items)
    window: list[Any] = []
    size = 0
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            break
        except Exception:
            if window:
                yield window
            raise
        window.append(item)
        size += size_of(item)
        if len(window) == max_items or size >= max_size:
            yield window
            window, size = [], 0
    if window:
        yield window


def length_buckets(
    sentences: Sequence[Sequence[str]],
    max_tokens: int,
    max_characters: int = 2**22,
    lengths: Optional[Sequence[int]] = None,
) -> Iterator[list[int]]:
    """
    Batches of sentences of similar length, the shortest first. No batch has much more padding than tokens.

    # Parameters

    max_tokens : `int`
        Tokens of a batch, padding included: sentences times the longest of them. A batch of fewer than 32 sentences may
        have four times as many, since a step over long sentences costs about the same for one as for many; a single
        sentence may have any number.
    max_characters : `int`, optional (default = `4_194_304`)
        Tokens, padding included, times the longest token; a sentence alone may have more.
    lengths : `Sequence[int]`, optional
        Of each sentence in pieces of an encoder, which are then what is meant by tokens here.

    # Returns

    `Iterator[List[int]]`
        Positions in `sentences`, each once; sentences of one length in their order.
    """
    batch: list[int] = []
    real = longest_token = 0  # tokens in the batch, characters of the longest of them
    lengths = list(map(len, sentences)) if lengths is None else lengths
    for index in sorted(range(len(sentences)), key=lengths.__getitem__):
        length = lengths[index]
        longest = max(map(len, sentences[index]), default=0)
        tokens, longest_token = (len(batch) + 1) * length, max(longest_token, longest)
        full = tokens > (max_tokens if len(batch) >= 32 else 4 * max_tokens) or tokens * longest_token > max_characters
        # More padding than tokens, unless the batch is so small that it does not matter.
        if batch and (full or tokens > 2 * (real + length) + max_tokens // 4):
            yield batch
            batch, real, longest_token = [], 0, longest
        batch.append(index)
        real += length
    if batch:
        yield batch
