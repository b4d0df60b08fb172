"""Sentences divided into folds, for taggers that tag what they were not trained on."""

import random
from collections.abc import Sequence


def folds_of(texts: Sequence[str], number: int, seed: int) -> list[int]:
    """
    Divides texts at random into folds of nearly the same size. Equal texts, white space and case apart, go together, so that
    no tagger has seen the labels of the text that it tags.

    # Parameters

    texts : `Sequence[str]`
    number : `int`
        Of folds.
    seed : `int`

    # Returns

    `List[int]`
        The fold of each text, from 0.

    # Raises

    `ValueError`: fewer than two folds, or fewer different texts than folds.
    """
    groups: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        groups.setdefault(" ".join(text.lower().split()), []).append(index)
    if not 2 <= number <= len(groups):
        raise ValueError(
            f"the number of folds must be from 2 to that of different sentences, {len(groups)}; got {number}"
        )
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=len, reverse=True)  # stable: large groups first, so that small ones even the folds out
    sizes = [0] * number
    folds = [0] * len(texts)
    for group in shuffled:
        smallest = sizes.index(min(sizes))
        sizes[smallest] += len(group)
        for index in group:
            folds[index] = smallest
    return folds
