from collections.abc import Sequence
from typing import Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.modules import Highway
from allennlp.modules.token_embedders import Embedding, TokenEmbedder


@TokenEmbedder.register("char_cnn_highway")
class CharCnnHighway(TokenEmbedder):
    """
    Character features of a word, eqs. (1) to (3) of the paper and its Fig. 4: character vectors, convolutions of several
    widths, tanh, maximum over positions, highway layers.

    A word gets the same vector in every batch: the convolution sees the word's own n characters, or as many as the
    widest filter needs if the word is shorter, and a window wholly in padding never wins the maximum.

    AllenNLP's `Highway` names the carry gate where eq. (3) names the transform gate: the same family of functions.

    # Parameters

    vocab : `Vocabulary`
    embedding_dim : `int`, optional (default = `30`)
        d_c, size of a character's vector.
    num_filters : `int`, optional (default = `20`)
        Filters of each width.
    filter_widths : `Sequence[int]`, optional (default = `(2, 3, 4)`)
        In characters.
    num_highway_layers : `int`, optional (default = `2`)
    max_word_length : `int`, optional
        Characters of a word that are read; the rest is cut off. Bounds the memory that one long token can take.
    vocab_namespace : `str`, optional (default = `"token_characters"`)
    orthographic_dim : `int`, optional
        Size of the vector of a character's shape (section IV-B), concatenated to the character's own. It needs the
        indexer `orthographic_characters` with `include_characters`.
    orthographic_namespace : `str`, optional (default = `"orthographic_characters"`)

    # Raises

    `ConfigurationError` for sizes that are not positive, or if a word's shapes are missing or not expected.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        embedding_dim: int = 30,
        num_filters: int = 20,
        filter_widths: Sequence[int] = (2, 3, 4),
        num_highway_layers: int = 2,
        max_word_length: Optional[int] = None,
        vocab_namespace: str = "token_characters",
        orthographic_dim: Optional[int] = None,
        orthographic_namespace: str = "orthographic_characters",
    ) -> None:
        super().__init__()
        sizes = [embedding_dim, num_filters, *filter_widths, 1 if orthographic_dim is None else orthographic_dim]
        if not filter_widths or min(sizes) < 1 or num_highway_layers < 0:
            raise ConfigurationError(
                "char_cnn_highway needs sizes, widths and num_filters of at least 1, and num_highway_layers of at least 0; "
                f"got embedding_dim={embedding_dim}, orthographic_dim={orthographic_dim}, num_filters={num_filters}, "
                f"filter_widths={list(filter_widths)}, num_highway_layers={num_highway_layers}."
            )
        self._widest = max(filter_widths)
        if max_word_length is not None and max_word_length < self._widest:
            raise ConfigurationError(
                f"max_word_length={max_word_length} is shorter than the widest filter ({self._widest}): raise it."
            )
        self._max_word_length = max_word_length
        self._output_dim = num_filters * len(filter_widths)
        self.embedding = Embedding(embedding_dim, vocab=vocab, vocab_namespace=vocab_namespace, padding_index=0)
        self.orthographic_embedding = None
        if orthographic_dim is not None:
            self.orthographic_embedding = Embedding(
                orthographic_dim, vocab=vocab, vocab_namespace=orthographic_namespace, padding_index=0
            )
        channels = embedding_dim + (orthographic_dim or 0)
        self.convolutions = torch.nn.ModuleList(
            torch.nn.Conv1d(channels, num_filters, width) for width in filter_widths
        )
        self.highway = Highway(self._output_dim, num_highway_layers, activation=torch.tanh)

    def get_output_dim(self) -> int:
        return self._output_dim

    def forward(
        self, token_characters: torch.Tensor, orthographic_characters: Optional[torch.Tensor] = None
    ) -> torch.Tensor:
        """
        Both arguments are `(batch_size, num_tokens, num_characters)` int64 ids, 0 at padding. Returns
        `(batch_size, num_tokens, num_filters * len(filter_widths))`.
        """
        if (orthographic_characters is None) != (self.orthographic_embedding is None):
            raise ConfigurationError(
                "char_cnn_highway: `orthographic_dim` and the indexer `orthographic_characters` with "
                '`"include_characters": true` go together; only one of them is set.'
            )
        characters = self._fit(token_characters)
        vectors = self.embedding(characters)  # (batch, tokens, characters, d_c)
        if self.orthographic_embedding is not None and orthographic_characters is not None:
            vectors = torch.cat([vectors, self.orthographic_embedding(self._fit(orthographic_characters))], dim=-1)
        vectors = vectors.flatten(0, 1).transpose(1, 2)  # (words, channels, characters)
        lengths = (characters != 0).sum(dim=-1).flatten().unsqueeze(1)  # (words, 1)
        features = [self._features(convolution, vectors, lengths) for convolution in self.convolutions]
        return self.highway(torch.cat(features, dim=-1)).unflatten(0, token_characters.shape[:2])

    def _fit(self, characters: torch.Tensor) -> torch.Tensor:
        """Cuts to the longest length, pads up to the widest filter."""
        characters = characters[:, :, : self._max_word_length]
        return torch.nn.functional.pad(characters, (0, max(0, self._widest - characters.size(2))))

    def _features(self, convolution: torch.nn.Module, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        windows = torch.tanh(convolution(vectors))  # eq. (1): (words, num_filters, positions)
        first = torch.arange(windows.size(2), device=vectors.device).unsqueeze(0)
        width = vectors.size(2) - windows.size(2) + 1
        real = (first < lengths) & (first + width <= lengths.clamp(min=self._widest))
        # tanh is above -1, so -1 never wins over a real window.
        return windows.masked_fill(~real.unsqueeze(1), -1.0).amax(dim=2)  # eq. (2)
