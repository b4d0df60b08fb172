"""What a word is looked up by: other ways to write the same word give the same key."""

import re
from unicodedata import normalize

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u02bc\u2032`", "'"))  # ’ ʼ ′ `
_FULL_WIDTH = re.compile("[\uff00-\uffef]+")
# Soft hyphens, joiners and other characters of no width, marks of direction, variation selectors, byte order marks.
_ZERO_WIDTH = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]")


def word_key(word: str) -> str:
    """
    The word without characters of no width, with full-width and half-width forms as the usual ones, in Unicode's form NFC,
    and with `'` for each of the apostrophes ’ ʼ ′ and the grave accent. A word of which nothing would be left stays as it is.
    """
    if word.isascii():  # most words
        return word.replace("`", "'")
    visible = _ZERO_WIDTH.sub("", word)
    usual = _FULL_WIDTH.sub(lambda match: normalize("NFKC", match[0]), visible)
    return normalize("NFC", usual).translate(_APOSTROPHES) or word
