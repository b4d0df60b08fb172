"""Vectors for words that a tagger meets after training, by the encoder that its word vectors were made with."""

import threading
from collections.abc import Iterable
from typing import Any

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Token
from allennlp.models import Model
from allennlp.modules.token_embedders import Embedding

from roseq_allennlp.data.token_indexers import FoldedWordsIndexer
from roseq_allennlp.modules.word_encoder import WordEncoder
from roseq_allennlp.nn.affine_map import affine_map

_WORDS_PER_DIMENSION = 3  # of the encoder, to find the map from its states to the vectors
_LARGEST_DISTANCE = 0.02  # of a vector from where the map has it, in mean norms of the vectors
_MAX_WORDS = 200_000


class WordCompletion:
    """
    Adds words to a tagger's vocabulary and fixed word vectors as they are met. `roseq vectors ENCODER` makes vectors by an
    affine map of the encoder's states; the map is found again from the vectors that the tagger has, so neither a file
    nor the archive has to hold it. Safe to share among threads.

    # Parameters

    model : `Model`
    reader : `DatasetReader`
    encoder : `str`
        A directory, or a name on the Hugging Face Hub.

    # Raises

    `ConfigurationError`: the tagger has no word vectors of this encoder.
    """

    def __init__(self, model: Model, reader: DatasetReader, encoder: str) -> None:
        self._vocab = model.vocab
        self._lock = threading.Lock()
        indexers = [
            indexer
            for indexer in getattr(reader, "_token_indexers", {}).values()
            if isinstance(indexer, FoldedWordsIndexer) and indexer.namespace == "tokens"
        ]
        self._layers: list[Any] = [
            layer
            for layer in model.modules()
            if isinstance(layer, Embedding) and layer._vocab_namespace == "tokens" and not layer.weight.requires_grad
        ]
        if not indexers or not self._layers:
            raise ConfigurationError(
                f"the tagger has no fixed word vectors, so the encoder {encoder} cannot give any. Leave it out."
            )
        self._indexer = indexers[0]
        self._encoder = WordEncoder(encoder)
        self._added = 0
        self._map = self._find_map(encoder)

    def _find_map(self, name: str) -> torch.Tensor:
        known = self._vocab.get_index_to_token_vocabulary("tokens")
        rows = list(known)[2:][: _WORDS_PER_DIMENSION * self._encoder.width]  # without padding and the unknown word
        targets = self._layers[0].weight[rows].double().cpu()
        words = [known[row] for row in rows]
        mean_norm = targets.norm(dim=1).mean()
        # A vector is that of the most frequent spelling, which the vocabulary does not have.
        spellings = words, [word.capitalize() for word in words], [word.upper() for word in words]
        if len(words) > self._encoder.width + 1:
            states = torch.stack([self._encoder(spelling).double() for spelling in spellings])
            mapping, distances = affine_map(states, targets)
            if distances.median() <= _LARGEST_DISTANCE * mean_norm:
                return mapping
        raise ConfigurationError(
            f"the word vectors of the tagger were not made by the encoder {name}, or are too few to tell. Leave it out, or give"
            " the one that made them."
        )

    def add(self, words: Iterable[str]) -> None:
        """Gives those of `words` vectors that have none, until 200 000 are added; the others stay unknown."""
        with self._lock, torch.inference_mode():
            met = list(dict.fromkeys(words))
            ids = self._indexer.tokens_to_indices([Token(word) for word in met], self._vocab)["tokens"]
            unknown = self._vocab.get_token_index(self._vocab._oov_token, "tokens")
            spellings = {
                self._indexer.key(word): word for word, index in zip(met, ids, strict=True) if index == unknown
            }
            keys = list(spellings)[: _MAX_WORDS - self._added]
            if not keys:
                return
            states = self._encoder([spellings[key] for key in keys]).double()  # (N, H)
            vectors = torch.nn.functional.pad(states, (0, 1), value=1.0) @ self._map  # (N, dim)
            for layer in self._layers:
                weight = torch.cat([layer.weight, vectors.to(layer.weight)])
                layer.weight = torch.nn.Parameter(weight, requires_grad=False)
                layer.num_embeddings = len(weight)
            # Last, as another thread may look a word up meanwhile.
            for key in keys:
                self._vocab.add_token_to_namespace(key, "tokens")
            self._added += len(keys)
