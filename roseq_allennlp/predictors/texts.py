"""Texts as sentences of words with their positions."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Optional, Union

import spacy
from allennlp.common.checks import ConfigurationError
from spacy.tokens import Doc, Token
from spacy.util import get_lang_class

from roseq_allennlp.data.documents import Document
from roseq_allennlp.data.sentence_splitting import split_sentences
from roseq_allennlp.data.tokenizers import SpacyTokenizer
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.sentences import Sentence

_SPLITTING = threading.RLock()  # neither tokenisers nor pipes bear several threads


class TextSplitter:
    """
    Splits texts by spaCy's rules for a language. The tokeniser is made with the first text, so that a package that a
    language needs is not missed where only tokens come in. Threads may share it.

    # Parameters

    language : `str`
        spaCy's code.
    sentence_pipe : `str`
        Name of the spaCy pipe that ends the sentences of a document.

    # Raises

    `ConfigurationError`: spaCy has no such language.
    """

    def __init__(self, language: str, sentence_pipe: str) -> None:
        try:
            get_lang_class(language)
        except ImportError as error:
            raise ConfigurationError(
                f"spaCy has no language {language!r}: set the reader's `language` to one of its codes, or to xx."
            ) from error
        self._language = language
        self._sentence_pipe = sentence_pipe
        self._tokenizer: Optional[SpacyTokenizer] = None
        self._pipe: Optional[Callable[[Doc], Doc]] = None

    def __reduce__(self) -> tuple[Any, ...]:
        return TextSplitter, (self._language, self._sentence_pipe)

    def sentences(self, text: Union[str, Document]) -> list[Sentence]:
        """
        The sentences of a document, of those that have a word; or a text as one sentence, with or without a word.

        # Raises

        `ValueError` for what is not Unicode, such as half a surrogate pair; `ConfigurationError` for a tokeniser or a pipe
        that cannot be made.
        """
        with gate.inside(), _SPLITTING:
            if self._tokenizer is None:
                self._tokenizer = SpacyTokenizer(self._language)
            if isinstance(text, str):
                return [_sentence(self._tokenizer(text), text)]
            if self._pipe is None:
                self._pipe = _pipe(self._language, self._sentence_pipe)
            doc = self._pipe(self._tokenizer(text.text))
            sentences = (_sentence(doc[start:end], text.text) for start, end in split_sentences(doc, set_starts=False))
            return [sentence for sentence in sentences if sentence.words]


def _pipe(language: str, name: str) -> Callable[[Doc], Doc]:
    with_pipe = spacy.blank(language)
    if not with_pipe.has_factory(name):
        raise ConfigurationError(
            f"spaCy has no pipe {name!r}: set `sentence_pipe` to `sentencizer`, or import the package of that pipe first."
        )
    pipe: Callable[[Doc], Doc] = with_pipe.add_pipe(name)
    try:
        pipe(with_pipe.tokenizer("One. Two."))
    except Exception as error:  # each pipe has its own
        raise ConfigurationError(
            f"spaCy's pipe {name!r} cannot split a text into sentences as it is, such as without a trained model"
            f" ({' '.join(str(error).split())[:200]}): set `sentence_pipe` to `sentencizer`."
        ) from error
    return pipe


def _sentence(tokens: Iterable[Token], text: str) -> Sentence:
    tokens = [token for token in tokens if not token.is_space]
    return Sentence([token.text for token in tokens], text, [token.idx for token in tokens])
