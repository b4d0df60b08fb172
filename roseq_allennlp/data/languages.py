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
    (code, first), (_, second) = counts
    return code if first >= _ENOUGH * letters.total() and first > _AHEAD * second else None


def known_languages() -> list[str]:
    """spaCy's codes."""
    return sorted(path.name for path in _folder().iterdir() if (path / "__init__.py").is_file())


@functools.cache
def _stop_words() -> dict[str, frozenset[str]]:
    files = sorted(_folder().glob("*/stop_words.py"))
    return {file.parent.name: frozenset(runpy.run_path(str(file))["STOP_WORDS"]) for file in files}


def _folder() -> Path:
    """spaCy's languages, as files: importing spaCy takes seconds."""
    spec = importlib.util.find_spec("spacy")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).with_name("lang")
