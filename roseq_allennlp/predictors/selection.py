"""Which of many sentences are kept: those of highest score, of which no two are nearly the same."""

import heapq
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from roseq_allennlp.data.label_statistics import label_weights

_SPARE = 2  # times as many are kept, as one that comes later may push out several that it is nearly the same as
_SAME = 0.5  # share of the pairs of neighbouring words that near-duplicates have in common
_DIGIT = re.compile(r"\d")

Pair = tuple[str, str]


class _Kept(NamedTuple):
    score: float
    order: int  # earlier ones are less, and so go first among equals
    pairs: frozenset[Pair]
    item: Any


class Selection:
    """
    Keeps the best of a stream of sentences, in memory for these alone. Time grows linearly with the stream: a sentence is
    compared with others only if it is better than the worst that is kept, and only with those that have a pair of
    neighbouring words in common with it.

    # Parameters

    size : `int`
        How many are wanted.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = _SPARE * size
        self._count = itertools.count()
        self._kept: dict[int, _Kept] = {}  # by order
        self._heap: list[tuple[float, int]] = []  # score and −order, worst first; some of them are no longer kept
        self._orders_of: defaultdict[Pair, set[int]] = defaultdict(set)

    def wants(self, score: float) -> bool:
        """Whether a sentence of that score could be among the best so far."""
        return len(self._kept) < self._room or score > self._heap[0][0]

    def offer(self, score: float, words: Sequence[str], item: Any) -> None:
        """
        Takes a sentence if it is among the best so far. Only the best of several near-duplicates stays, or the first one if
        their scores are equal. Two sentences are near-duplicates if they share at least half of their pairs of neighbouring
        words (ends included, without case, digits alike).
        """
        if not self.wants(score):
            return
        pairs = pairs_of(words)
        alike = self._near_duplicates(pairs)
        if any(self._kept[order].score >= score for order in alike):
            return
        for order in alike:
            self._drop(order)
        order = next(self._count)
        self._kept[order] = _Kept(score, order, pairs, item)
        heapq.heappush(self._heap, (score, -order))
        for pair in pairs:
            self._orders_of[pair].add(order)
        if len(self._kept) > self._room:
            self._drop(-self._heap[0][1])

    def best(self) -> list[Any]:
        """The items of those that are chosen, best first."""
        ranked = sorted(self._kept.values(), key=lambda kept: (-kept.score, kept.order))
        return [kept.item for kept in ranked[: self._size]]

    def _near_duplicates(self, pairs: frozenset[Pair]) -> list[int]:
        common = Counter(order for pair in pairs for order in self._orders_of.get(pair, ()))
        return [
            order
            for order, number in common.items()
            if number >= _SAME * (len(pairs) + len(self._kept[order].pairs) - number)
        ]

    def _drop(self, order: int) -> None:
        for pair in self._kept.pop(order).pairs:
            self._orders_of[pair].remove(order)
            if not self._orders_of[pair]:
                del self._orders_of[pair]
        if len(self._heap) > 2 * self._room:
            self._heap = [(kept.score, -order) for order, kept in self._kept.items()]
            heapq.heapify(self._heap)
        while self._heap and -self._heap[0][1] not in self._kept:
            heapq.heappop(self._heap)


def pairs_of(words: Iterable[str]) -> frozenset[Pair]:
    """The pairs of neighbouring words by which near-duplicates are known."""
    return frozenset(itertools.pairwise(["", *(_DIGIT.sub("0", word.casefold()) for word in words), ""]))


def rarity(counts: Mapping[str, float]) -> dict[str, float]:
    """
    The weight of each type in `boost`, from the entities of each type in the training data: max / count, which is eq. (8) with τ
    = 1; of a type without an entity the largest weight of another. All are 1 if no type has an entity.
    """
    return label_weights(counts, 1.0) if any(counts.values()) else dict.fromkeys(counts, 1.0)


def boost(expected: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    """What the score of a sentence is multiplied by, for its rare types: the mean weight of the entities expected in it."""
    total = sum(expected.values())
    return sum(number * rarity[label] for label, number in expected.items()) / total if total > 0 else 1.0
