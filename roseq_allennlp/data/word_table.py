"""A table of each word's ids, from which batches are made without AllenNLP's instances."""

import threading
from collections.abc import Sequence
from itertools import chain
from typing import Any, Optional

import numpy as np
import torch
from allennlp.data import DatasetReader, TextFieldTensors, Token, TokenIndexer, Vocabulary
from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenCharactersIndexer
from allennlp.data.tokenizers import CharacterTokenizer

from roseq_allennlp.data.dataset_readers import NerReader
from roseq_allennlp.data.token_indexers import (
    FoldedWordsIndexer,
    OrthographicCharactersIndexer,
    OrthographicIndexer,
    TransformerIndexer,
)
from roseq_allennlp.data.word_pieces import PieceIds

_SINGLE_ID = (SingleIdTokenIndexer, FoldedWordsIndexer, OrthographicIndexer)
_CHARACTERS = (TokenCharactersIndexer, OrthographicCharactersIndexer)


class WordTable:
    """
    Ids that token indexers give for each word met so far; the indexers look at one word at a time. Pieces of an encoder,
    which depend on the sentence, are found anew. Safe to share among threads.

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`
        Indexers that `word_table` knows.
    vocab : `Vocabulary`
        Must not change afterwards.
    max_words, max_ids : `int`, optional (default = `100_000` and `4_000_000`, 32 MB)
        A table that has outgrown either, or has more characters than `max_ids`, starts afresh at the next batch, so that
        endless input does not fill the memory.
    max_characters : `Dict[str, int]`, optional
        By the name of an indexer of characters, how many of a word the model reads; the others get no ids.
    """

    def __init__(
        self,
        token_indexers: dict[str, TokenIndexer],
        vocab: Vocabulary,
        max_words: int = 100_000,
        max_ids: int = 4_000_000,
        max_characters: Optional[dict[str, int]] = None,
    ) -> None:
        self._all_indexers = token_indexers
        self._token_indexers = {
            name: indexer for name, indexer in token_indexers.items() if not isinstance(indexer, TransformerIndexer)
        }
        self._vocab = vocab
        self._max_words = max_words
        self._max_ids = max_ids
        self._max_characters = {
            name: limit
            for name, limit in (max_characters or {}).items()
            if name in token_indexers and _gives_characters(token_indexers[name])
        }
        self._lock = threading.Lock()
        self._clear()

    def __len__(self) -> int:
        return len(self._rows)

    def __reduce__(self) -> tuple[Any, ...]:
        sizes = self._max_words, self._max_ids, self._max_characters
        return WordTable, (self._all_indexers, self._vocab, *sizes)

    def _clear(self) -> None:
        self._rows: dict[str, int] = {}
        self._num_characters = 0  # of all words
        self._columns = {
            (name, key): _Column()
            for name, indexer in self._token_indexers.items()
            for key in indexer.get_empty_token_list()
        }

    def pieces(self, sentences: Sequence[Sequence[str]]) -> Optional[list[PieceIds]]:
        """The pieces of each sentence, where an encoder needs them."""
        for indexer in self._all_indexers.values():
            if isinstance(indexer, TransformerIndexer):
                return indexer.split(sentences)
        return None

    def tensors(
        self, sentences: Sequence[Sequence[str]], pieces: Optional[Sequence[PieceIds]] = None
    ) -> TextFieldTensors:
        """
        What AllenNLP makes of a batch with a `TextField` of each sentence: for each indexer `(B, T)` int64 ids, or
        `(B, T, C)` of characters, C the longest word of the batch or the indexer's `min_padding_length`; 0 is padding. For `transformer` what its indexer
        gives for `pieces`, by default those of the sentences.
        """
        words = list(chain.from_iterable(sentences))
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        tensors: TextFieldTensors = {name: {} for name in self._all_indexers}
        for name, indexer in self._all_indexers.items():
            if isinstance(indexer, TransformerIndexer):
                tensors[name] = indexer.tensors(indexer.split(sentences) if pieces is None else pieces)
        with self._lock:
            num_ids = sum(column.num_ids for column in self._columns.values())
            if len(self) > self._max_words or max(num_ids, self._num_characters) > self._max_ids:
                self._clear()
            self._add(set(words).difference(self._rows))
            table_rows = np.fromiter(map(self._rows.__getitem__, words), np.int64, len(words))  # (words,)
            for (name, key), column in self._columns.items():
                indexer = self._token_indexers[name]
                num_tokens = int(lengths.max(initial=indexer._token_min_padding_length))
                rows = np.arange(len(words)) + _shifts(lengths, np.arange(len(lengths)) * num_tokens)
                ids = column.padded(
                    table_rows, rows, len(lengths) * num_tokens, getattr(indexer, "_min_padding_length", 1)
                )
                shape = (len(lengths), num_tokens, *([] if isinstance(indexer, _SINGLE_ID) else [ids.shape[1]]))
                tensors[name][key] = torch.from_numpy(ids.reshape(shape))
        return tensors

    def _add(self, words: set[str]) -> None:
        if not words:
            return
        tokens = [Token(word) for word in words]
        indexed = {}
        for name, indexer in self._token_indexers.items():
            # Cut twice: how a character is lowercased may depend on those after it.
            limit = self._max_characters.get(name)
            read = tokens if limit is None else [Token(word[: 2 * limit]) for word in words]
            indexed[name] = indexer.tokens_to_indices(read, self._vocab)
        for (name, key), column in self._columns.items():
            ids = indexed[name][key]
            if name in self._max_characters:
                ids = [characters[: self._max_characters[name]] for characters in ids]
            column.extend([[id_] for id_ in ids] if isinstance(self._token_indexers[name], _SINGLE_ID) else ids)
        self._rows.update(zip(words, range(len(self), len(self) + len(words)), strict=True))
        self._num_characters += sum(map(len, words))


def word_table(
    reader: DatasetReader, vocab: Vocabulary, max_characters: Optional[dict[str, int]] = None
) -> Optional[WordTable]:
    """
    A table that gives the ids which `reader` and AllenNLP give for `vocab`; `None` unless it is sure to: it needs an
    `NerReader` that makes its instances itself, with indexers that see nothing but the text of one word, and at most one
    `transformer`.
    """
    if (
        not isinstance(reader, NerReader)
        or type(reader).text_to_instance is not NerReader.text_to_instance
        or type(reader).apply_token_indexers is not NerReader.apply_token_indexers
        or not all(map(_is_known, reader._token_indexers.values()))
        or sum(isinstance(indexer, TransformerIndexer) for indexer in reader._token_indexers.values()) > 1
    ):
        return None
    return WordTable(reader._token_indexers, vocab, max_characters=max_characters)


def _gives_characters(indexer: TokenIndexer) -> bool:
    """Whether the ids are those of one character after the other."""
    return isinstance(indexer, _CHARACTERS) and type(indexer._character_tokenizer) is CharacterTokenizer


def _is_known(indexer: TokenIndexer) -> bool:
    if type(indexer) is TransformerIndexer:
        return True
    if type(indexer) not in (*_SINGLE_ID, *_CHARACTERS):  # exactly: a subclass may look further
        return False
    if indexer._start_tokens or indexer._end_tokens:  # type: ignore[attr-defined]  # they are no word's
        return False
    return getattr(indexer, "_feature_name", "text") == "text" and getattr(indexer, "namespace", "") is not None


class _Column:
    """Lists of ids, one after the other in an array that doubles when it is full."""

    def __init__(self) -> None:
        self.num_ids = 0
        self._size = 0
        self._ids = np.zeros(1024, np.int64)
        self._starts = np.zeros(1024, np.int64)
        self._lengths = np.zeros(1024, np.int64)

    def extend(self, lists: Sequence[Sequence[int]]) -> None:
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        ids = np.fromiter(chain.from_iterable(lists), np.int64, lengths.sum())
        self._starts = _put(self._starts, self._size, self.num_ids + lengths.cumsum() - lengths)
        self._lengths = _put(self._lengths, self._size, lengths)
        self._ids = _put(self._ids, self.num_ids, ids)
        self._size += len(lists)
        self.num_ids += len(ids)

    def padded(self, words: np.ndarray, rows: np.ndarray, num_rows: int, min_width: int) -> np.ndarray:
        """The lists of `words` as `rows` of a matrix `(num_rows, width)` of zeros, as wide as the longest of them."""
        lengths = self._lengths[words]  # (words,)
        width = int(lengths.max(initial=min_width))
        matrix = np.zeros((num_rows, width), np.int64)
        flat = np.arange(lengths.sum())  # (ids,)
        matrix.ravel()[flat + _shifts(lengths, rows * width)] = self._ids[flat + _shifts(lengths, self._starts[words])]
        return matrix


def _shifts(lengths: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """For items in runs of `lengths`, one after the other: how far to move each for the runs to begin at `starts`."""
    return np.repeat(starts - (lengths.cumsum() - lengths), lengths)


def _put(array: np.ndarray, at: int, values: np.ndarray) -> np.ndarray:
    if at + len(values) > len(array):
        array = np.concatenate([array, np.zeros(at + len(values), np.int64)])
    array[at : at + len(values)] = values
    return array
