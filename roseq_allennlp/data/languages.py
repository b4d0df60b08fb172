"""Which language a text is in, by the words that it has most of."""

import functools
import importlib.util
import runpy
from collections import Counter
from pathlib import Path
from typing import Optional

_ENOUGH = 0.15  # of the words; of running text in its own language 30 to 60 % are stop words
_AHEAD = 1.1  # times as many as in the second language


def language_of(words: "Counter[str]") -> Optional[str]:
    """
    spaCy's code of the language whose stop words stand in a text most often; `None` where no language is ahead of the
    others.

    # Parameters

    words : `Counter[str]`
        In lower case, with their numbers.
    """
    letters = Counter({word: count for word, count in words.items() if word.isalpha()})
    counts = Counter(
        {code: sum(letters[word] for word in stop_words) for code, stop_words in _stop_words().items()}
    ).most_common(2)
    if not counts:
        return None
    (code, first), *others = counts
    second = others[0][1] if others else 0
    return code if first >= _ENOUGH * letters.total() and first > _AHEAD * second else None


@functools.cache
def _stop_words() -> dict[str, frozenset[str]]:
    """spaCy's, from its files: importing spaCy takes seconds."""
    spec = importlib.util.find_spec("spacy")
    if spec is None or spec.origin is None:
        return {}
    files = sorted(Path(spec.origin).parent.glob("lang/*/stop_words.py"))
    return {file.parent.name: frozenset(runpy.run_path(str(file))["STOP_WORDS"]) for file in files}
