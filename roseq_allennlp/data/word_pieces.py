"""Words as the pieces of an encoder's tokeniser."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

# The threads of tokenizers do not survive a fork of this process.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_CHARACTERS = 1024  # of a word that are read


class PieceIds(NamedTuple):
    """A sentence of T words and P pieces."""

    ids: np.ndarray  # (P,) int64
    counts: np.ndarray  # (T,) int64, how many of them each word has, at least 1


class WordPieces:
    """
    Splits words into pieces by a fast tokeniser of Hugging Face. A word without a piece, such as one of characters that
    the tokeniser removes, gets the piece `unknown`; of a word of more than 1024 characters or `max_word_pieces` pieces the
    first ones are read.

    # Parameters

    tokenizer : `str`
        The JSON of `tokenizers.Tokenizer`, as in a tokenizer.json.
    unknown : `int`
    max_word_pieces : `int`
    """

    def __init__(self, tokenizer: str, unknown: int, max_word_pieces: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer)
        except Exception as error:  # it has no class of its own
            raise ValueError(f"cannot be read: {error}") from error
        self.num_pieces = 1 + max(self._tokenizer.get_vocab().values(), default=-1)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._unknown = unknown
        self._max_word_pieces = max_word_pieces
        self.num_cut = 0  # words so far of which a part was read

    def split(self, sentences: Sequence[Sequence[str]]) -> list[PieceIds]:
        """Pieces of sentences of words; without those that begin and end a sentence."""
        texts = [[_encodable(word) for word in words] for words in sentences]
        encodings = self._tokenizer.encode_batch(texts, is_pretokenized=True, add_special_tokens=False)
        return [
            self._checked(np.array(encoding.ids, np.int64), encoding.word_ids, words)
            for encoding, words in zip(encodings, sentences, strict=True)
        ]

    def _checked(self, ids: np.ndarray, word_ids: list[int], words: Sequence[str]) -> PieceIds:
        owners = np.array(word_ids, np.int64)
        counts = np.bincount(owners, minlength=len(words)) if len(owners) else np.zeros(len(words), np.int64)
        least, most = counts.min(initial=1), counts.max(initial=1)
        too_long = counts > self._max_word_pieces
        self.num_cut += int(too_long.sum()) + sum(len(word) > _CHARACTERS for word in words)
        if least >= 1 and most <= self._max_word_pieces:
            return PieceIds(ids, counts)
        positions = np.arange(len(ids)) - np.repeat(counts.cumsum() - counts, counts)  # in its word
        kept = positions < self._max_word_pieces
        ids, owners = ids[kept], owners[kept]
        without = np.flatnonzero(counts == 0)
        at = np.searchsorted(owners, without)
        return PieceIds(np.insert(ids, at, self._unknown), counts.clip(1, self._max_word_pieces))


def _encodable(word: str) -> str:
    """Half a surrogate pair has no form in UTF-8."""
    return word[:_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
