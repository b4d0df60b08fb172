"""
Typing noise: words as people mistype them. No word is split or lost, so gold entities keep their positions.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Union

from roseq_allennlp.errors import ConfigurationError

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFT = (0.0, 0.25, 0.75)  # how far each row of keys stands to the right, in keys
_CENTRES = {
    key: (column + shift, row)
    for row, (keys, shift) in enumerate(zip(_ROWS, _SHIFT, strict=True))
    for column, key in enumerate(keys)
}
NEIGHBOURS = {
    key: "".join(other for other, (u, v) in _CENTRES.items() if 0 < (x - u) ** 2 + (y - v) ** 2 < 1.7)
    for key, (x, y) in _CENTRES.items()
}
"""For each key of a QWERTY keyboard, the keys that touch it."""


def _swap(word: str, draw: float) -> str:
    positions = [position for position in range(len(word) - 1) if word[position] != word[position + 1]]
    if not positions:
        return word
    position = _pick(positions, draw)
    return word[:position] + word[position + 1] + word[position] + word[position + 2 :]


def _drop(word: str, draw: float) -> str:
    position = _pick(range(len(word)), draw)
    return word[:position] + word[position + 1 :] if len(word) > 1 else word


def _double(word: str, draw: float) -> str:
    position = _pick(range(len(word)), draw)
    return word[: position + 1] + word[position:]


def _key(word: str, draw: float) -> str:
    positions = [position for position, letter in enumerate(word) if letter.lower() in NEIGHBOURS]
    if not positions:
        return word
    position = _pick(positions, draw)
    letter = word[position]
    keys = NEIGHBOURS[letter.lower()]
    key = keys[int(draw * 997) % len(keys)]  # from the same draw, but not in step with the position
    return word[:position] + (key.upper() if letter.isupper() else key) + word[position + 1 :]


def _case(word: str, draw: float) -> str:
    return word.lower()


def _elongate(word: str, draw: float) -> str:
    return word + word[-1] * _pick((2, 3, 4), draw) if word[-1].isalpha() else word


KINDS: dict[str, Callable[[str, float], str]] = {
    "swap": _swap,
    "drop": _drop,
    "double": _double,
    "key": _key,
    "case": _case,
    "elongate": _elongate,
}
"""
Two neighbouring characters swapped, one dropped, one doubled, one hit on a neighbouring key, capitals lost, the last letter
held (Thissss). Each function takes a word and a number in [0, 1) that chooses the position; it returns the word where it cannot
act.
"""


def add_noise(
    sentences: Iterable[Sequence[str]], level: float, seed: Union[int, str] = 1, kinds: Sequence[str] = tuple(KINDS)
) -> list[list[str]]:
    """
    Changes each word with probability `level`, in one way. With the same seed a word that is changed at one level is
    changed in the same way at every higher one.

    # Parameters

    sentences : `Iterable[Sequence[str]]`
    level : `float`
        In [0, 1]; 0 changes nothing.
    seed : `Union[int, str]`, optional (default = `1`)
    kinds : `Sequence[str]`, optional
        Names in `KINDS`. A kind that cannot act on a word leaves it to another; a word on which no kind can act stays.

    # Returns

    `List[List[str]]`
        As many words in each sentence, none of them empty or white space.

    # Raises

    `ConfigurationError`: a level out of range, an unknown kind.
    """
    if not 0 <= level <= 1:
        raise ConfigurationError(f"The level of noise is the share of words changed, from 0 to 1; got {level}.")
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ConfigurationError(f"Unknown kinds of noise: {unknown or 'none given'}. Known are {', '.join(KINDS)}.")
    noisy = []
    for number, sentence in enumerate(sentences):
        generator = random.Random(f"{seed} {number}")
        noisy.append([_noisy(word, level, kinds, generator) for word in sentence])
    return noisy


def _noisy(word: str, level: float, kinds: Sequence[str], generator: random.Random) -> str:
    # Each word draws the same numbers whether it is changed or not, so all levels change it in the same way.
    threshold, draw = generator.random(), generator.random()
    order = generator.sample(range(len(kinds)), len(kinds))
    if threshold >= level:
        return word
    ways = (KINDS[kinds[index]](word, draw) for index in order)
    return next((changed for changed in ways if changed != word and len(changed.split()) == 1), word)


def _pick(positions: Sequence[int], draw: float) -> int:
    return positions[int(draw * len(positions))]
