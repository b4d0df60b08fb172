"""spaCy's tokenisers by language, without a model."""

import warnings
from typing import Optional

import spacy
from allennlp.common.checks import ConfigurationError
from spacy.tokens import Doc
from spacy.vocab import Vocab

_MOST_WORDS = 100_000  # of a vocabulary, which keeps all words it ever met
_vocabulary: Optional[Vocab] = None


class SpacyTokenizer:
    """
    Splits text by spaCy's rules for a language; nothing is downloaded. The text may have any length. Memory stays
    bounded: the vocabulary is made anew once it holds 100 000 words. Not to be used by two threads at once.

    # Parameters

    language : `str`
        spaCy's code, such as `nl`; `xx` for any.

    # Raises

    `ConfigurationError`: spaCy has no such language, or its tokeniser needs a package that is not installed.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._tokenizer = _tokenizer(language)

    def __call__(self, text: str) -> Doc:
        """Raises `ValueError` for text that is not Unicode, such as half a surrogate pair."""
        if len(self._tokenizer.vocab) > _MOST_WORDS:
            self._tokenizer = _tokenizer(self._language)
        return self._tokenizer(text)


def vocabulary() -> Vocab:
    """spaCy's vocabulary for documents of given tokens; not bound to a language, and renewed as that of a tokeniser."""
    global _vocabulary
    if _vocabulary is None or len(_vocabulary) > _MOST_WORDS:
        _vocabulary = spacy.blank("xx").vocab
    return _vocabulary


def _tokenizer(language: str) -> spacy.tokenizer.Tokenizer:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages behind the tokenisers
            tokenizer = spacy.blank(language).tokenizer
            tokenizer("a")  # some load what they need with the first text
        return tokenizer
    except ImportError as error:
        advice = " ".join(str(error).split())
        if advice.startswith("[E048]"):
            raise ConfigurationError(
                f"spaCy has no language {language!r}: set the reader's `language` to one of its codes, or to xx."
            ) from error
        raise ConfigurationError(
            f"the tokeniser of `language` {language!r} needs a package that is not installed. spaCy says: {advice}"
        ) from error
    except Exception as error:  # whatever the packages behind the tokenisers raise for data that they lack
        raise ConfigurationError(
            f"the tokeniser of `language` {language!r} cannot be made: {' '.join(str(error).split())[:300]}"
        ) from error
