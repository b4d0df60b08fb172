from collections.abc import Iterable
from typing import Optional

import torch
from allennlp.data import Vocabulary
from allennlp.data.token_indexers import TokenCharactersIndexer, TokenIndexer
from allennlp.data.token_indexers.token_indexer import IndexedTokenList
from allennlp.data.tokenizers import Token

from roseq_allennlp.data.orthography import word_shape


@TokenIndexer.register("orthographic_characters")
class OrthographicCharactersIndexer(TokenCharactersIndexer):
    """
    A word as the characters of its shape, see `roseq_allennlp.data.orthography.word_shape`: as many as the `characters`
    indexer gives for the word itself, padded alike.

    # Parameters

    namespace : `str`, optional (default = `"orthographic_characters"`)
        Namespace of the vocabulary.
    include_characters : `bool`, optional (default = `False`)
        Give the word's own characters beside those of its shape, for an embedder that concatenates the two (section
        IV-B of the paper): `token_characters`, of the namespace of that name, and `orthographic_characters`.
    min_padding_length : `int`, optional (default = `0`)
        In characters: at least the width of the widest filter that reads them.
    token_min_padding_length : `int`, optional (default = `0`)
        See `TokenIndexer`.
    """

    def __init__(
        self,
        namespace: str = "orthographic_characters",
        include_characters: bool = False,
        min_padding_length: int = 0,
        token_min_padding_length: int = 0,
    ) -> None:
        super().__init__(
            namespace, min_padding_length=min_padding_length, token_min_padding_length=token_min_padding_length
        )
        self._characters: Optional[TokenCharactersIndexer] = None
        if include_characters:
            self._characters = TokenCharactersIndexer(min_padding_length=min_padding_length)

    def count_vocab_items(self, token: Token, counter: dict[str, dict[str, int]]) -> None:
        super().count_vocab_items(_shape(token), counter)
        if self._characters is not None:
            self._characters.count_vocab_items(token, counter)

    def tokens_to_indices(self, tokens: list[Token], vocabulary: Vocabulary) -> dict[str, list[list[int]]]:
        words = [token.ensure_text() for token in tokens]
        shapes = _indices(map(word_shape, words), self._namespace, vocabulary)
        if self._characters is None:
            return {"token_characters": shapes}
        characters = _indices(words, self._characters._namespace, vocabulary)
        return {"token_characters": characters, "orthographic_characters": shapes}

    def as_padded_tensor_dict(
        self, tokens: IndexedTokenList, padding_lengths: dict[str, int]
    ) -> dict[str, torch.Tensor]:
        tensors = super().as_padded_tensor_dict(tokens, padding_lengths)
        if self._characters is not None:
            shapes = {"token_characters": tokens["orthographic_characters"]}
            padded = super().as_padded_tensor_dict(shapes, padding_lengths)
            tensors["orthographic_characters"] = padded["token_characters"]
        return tensors

    def get_empty_token_list(self) -> IndexedTokenList:
        empty: IndexedTokenList = {"token_characters": []}
        return empty if self._characters is None else {**empty, "orthographic_characters": []}


def _shape(token: Token) -> Token:
    return token if token.text is None else Token(word_shape(token.text))


def _indices(words: Iterable[str], namespace: str, vocabulary: Vocabulary) -> list[list[int]]:
    """Index of each character of each word, by one lookup where the vocabulary itself takes several."""
    known = vocabulary.get_token_to_index_vocabulary(namespace)
    unknown = vocabulary.get_token_index(vocabulary._oov_token, namespace)
    return [[known.get(character, unknown) for character in word] for word in words]
