"""Sentences of a tokenised text: by spaCy's `sentencizer`, and at blank lines."""

import re
from collections.abc import Iterable

from spacy.pipeline import Sentencizer
from spacy.tokens import Doc

_LINE_END = r"(?:\r\n|\n|\r(?!\n))"
_BLANK_LINE = re.compile(rf"{_LINE_END}[^\S\r\n]*{_LINE_END}")


def split_sentences(doc: Doc, whole: Iterable[tuple[int, int]] = (), set_starts: bool = True) -> list[tuple[int, int]]:
    """
    # Parameters

    doc : `spacy.tokens.Doc`
        Of raw text or of given tokens, with its white-space tokens.
    whole : `Iterable[Tuple[int, int]]`, optional
        Tokens `[start, end)`, such as those of gold entities, that must be in one sentence: those that they touch are
        joined.
    set_starts : `bool`, optional (default = `True`)
        Whether the sentencizer is to find those that no pipe has set; `False` where another pipe has set them in `doc`.

    # Returns

    `List[Tuple[int, int]]`
        Tokens `[start, end)` of each sentence, in order and without gaps. White-space tokens belong to the sentence
        before them, or to the first.
    """
    words = [token.i for token in doc if not token.is_space]
    if not words:
        return [(0, len(doc))] if len(doc) else []
    if set_starts:
        doc = Sentencizer()(doc)
    text = doc.text
    starts = {words[0]: True}  # by word, whether a sentence starts there
    for previous, word in zip(words, words[1:], strict=False):
        gap = text[doc[previous].idx + len(doc[previous]) : doc[word].idx]
        # A sentence that begins with white space begins with the word after it.
        starts[word] = any(doc[i].is_sent_start for i in range(previous + 1, word + 1)) or bool(_BLANK_LINE.search(gap))
    for start, end in whole:
        starts.update(dict.fromkeys(range(start + 1, end), False))
    cuts = [word for word in words[1:] if starts[word]]
    return list(zip([0, *cuts], [*cuts, len(doc)], strict=True))
