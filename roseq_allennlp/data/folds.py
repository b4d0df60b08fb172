"""Sentences divided into folds, for taggers that tag what they were not trained on."""

import random


def folds_of(size: int, number: int, seed: int) -> list[int]:
    """
    Divides sentences at random into folds whose sizes differ by one at most. Copies of a sentence may be in several folds: so
    labels that differ between copies are found, and those that copies share count as they are.

    # Parameters

    size : `int`
        How many sentences there are.
    number : `int`
        Of folds.
    seed : `int`

    # Returns

    `List[int]`
        The fold of each sentence, from 0.

    # Raises

    `ValueError`: fewer than two folds, or fewer sentences than folds.
    """
    if not 2 <= number <= size:
        raise ValueError(f"the number of folds must be from 2 to that of sentences, {size}; got {number}")
    folds = [index % number for index in range(size)]
    random.Random(seed).shuffle(folds)
    return folds
