from collections.abc import Callable, Sequence
from typing import Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.modules import Highway, TextFieldEmbedder
from allennlp.modules.token_embedders import Embedding, TokenEmbedder

from roseq_allennlp.nn.distinct_rows import distinct_rows
from roseq_allennlp.nn.windows import looked_up_scores, segment_maximum

_BLOCK = 2**14  # words
_FEWEST = 16  # words; a matrix product of fewer rows may be rounded in another way


class CharacterEmbedding(Embedding):
    """
    An `Embedding` whose output an observer may replace, as adversarial training does with a perturbed one.

    While `observer` is set, `CharCnnHighway` gives the layer every occurrence of a word, and not each distinct word once;
    the layer calls `observer(vectors, sentences)` once a forward pass and returns what that returns. `vectors` is
    `(N, embedding_dim)` for the characters of real words, with `sentences` `(N,)` int64, each row's sentence index in the
    batch; or `(tokens of the padded batch, characters, embedding_dim)` with `None`.
    """

    observer: Optional[Callable[[torch.Tensor, Optional[torch.Tensor]], torch.Tensor]] = None

    def forward(self, tokens: torch.Tensor, sentences: Optional[torch.Tensor] = None) -> torch.Tensor:
        vectors = super().forward(tokens)
        return vectors if self.observer is None else self.observer(vectors, sentences)


@TokenEmbedder.register("char_cnn_highway")
class CharCnnHighway(TokenEmbedder):
    """
    Character features of a word, eqs. (1) to (3) of the paper and its Fig. 4: character vectors, convolutions of several
    widths, tanh, maximum over positions, highway layers.

    A word gets the same vector in every batch: the convolution sees the word's own n characters, or as many as the
    widest filter needs if the word is shorter, and a window wholly in padding never wins the maximum.

    On the CPU the work is done for the characters of real words only, as one matrix product over all windows, and once for
    each distinct word, unless an embedding layer has an observer (see `CharacterEmbedding`), as in adversarial training.
    Elsewhere padding is computed too: to leave it out would synchronise with the device. The numbers are the same.

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
        self.embedding = CharacterEmbedding(
            embedding_dim, vocab=vocab, vocab_namespace=vocab_namespace, padding_index=0
        )
        self.orthographic_embedding = None
        if orthographic_dim is not None:
            self.orthographic_embedding = CharacterEmbedding(
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
        Both arguments are `(batch_size, num_tokens, num_characters)` int64 ids, 0 at padding, which ends a word. Returns
        `(batch_size, num_tokens, num_filters * len(filter_widths))`.
        """
        if (orthographic_characters is None) != (self.orthographic_embedding is None):
            raise ConfigurationError(
                "char_cnn_highway: `orthographic_dim` and the indexer `orthographic_characters` with "
                '`"include_characters": true` go together; only one of them is set.'
            )
        inputs, layers = [token_characters], [self.embedding]
        if self.orthographic_embedding is not None and orthographic_characters is not None:
            inputs, layers = [*inputs, orthographic_characters], [*layers, self.orthographic_embedding]
        compute = self._without_padding if token_characters.device.type == "cpu" else self._with_padding
        num_tokens = token_characters.shape[:2]
        words = [ids.flatten(0, 1) for ids in inputs]  # (tokens, characters)
        # Without gradients a block at a time, so that a long text takes no more than its words need.
        size = max(len(words[0]), 1) if torch.is_grad_enabled() else _BLOCK
        blocks = zip(*(ids.split(size) for ids in words), strict=True)
        features = [compute([self._cut(ids) for ids in block], layers, num_tokens[1]) for block in blocks]
        return (features[0] if len(features) == 1 else torch.cat(features)).unflatten(0, num_tokens)

    def _cut(self, ids: torch.Tensor) -> torch.Tensor:
        """`(tokens, characters)` cut to the longest length and padded up to the widest filter."""
        ids = ids[:, : self._max_word_length]
        missing = self._widest - ids.size(1)
        return torch.nn.functional.pad(ids, (0, missing)) if missing > 0 else ids

    def _with_padding(
        self, words: list[torch.Tensor], layers: list[CharacterEmbedding], num_tokens: int
    ) -> torch.Tensor:
        """Features of all tokens, `(tokens, filters)`, zero for those without characters; every position is computed."""
        vectors = torch.cat([layer(ids) for layer, ids in zip(layers, words, strict=True)], dim=2).transpose(1, 2)
        lengths = _lengths(words).unsqueeze(1)  # (tokens, 1)
        first = torch.arange(vectors.size(2), device=vectors.device)
        maxima = []
        for convolution in self.convolutions:
            windows = convolution(vectors)  # (tokens, num_filters, positions)
            width = vectors.size(2) - windows.size(2) + 1
            real = self._is_window(first[: windows.size(2)], width, lengths)  # (tokens, positions)
            maxima.append(windows.masked_fill(~real.unsqueeze(1), -torch.inf).amax(dim=2))  # eqs. (1) and (2)
        maximum = torch.cat(maxima, dim=1).masked_fill(lengths == 0, 0.0)
        return self.highway(torch.tanh(maximum)).masked_fill(lengths == 0, 0.0)

    def _without_padding(
        self, words: list[torch.Tensor], layers: list[CharacterEmbedding], num_tokens: int
    ) -> torch.Tensor:
        """As `_with_padding`, computed for the characters of real words only."""
        lengths = _lengths(words)  # (tokens,)
        features = self.embedding.weight.new_zeros(lengths.size(0), self._output_dim)
        tokens = lengths.nonzero().squeeze(1)
        # An observer may give each occurrence of a word other vectors.
        observed = any(layer.observer is not None for layer in layers)
        rows, occurrences = (tokens, None) if observed else distinct_rows(torch.cat(words, dim=1), tokens)
        if not torch.is_grad_enabled() and 0 < len(rows) < _FEWEST:
            occurrences = torch.arange(len(rows)) if occurrences is None else occurrences
            rows = torch.cat([rows, rows[:1].expand(_FEWEST - len(rows))])
        words, lengths = [ids.index_select(0, rows) for ids in words], lengths.index_select(0, rows)

        positions = torch.arange(words[0].size(1))
        word, position = (positions < lengths.clamp(min=self._widest).unsqueeze(1)).nonzero(as_tuple=True)
        ids = [characters[word, position] for characters in words]

        filters, biases, real = [], [], []
        for convolution in self.convolutions:
            assert isinstance(convolution, torch.nn.Conv1d) and convolution.bias is not None
            width = convolution.weight.size(2)
            filters.append(torch.nn.functional.pad(convolution.weight, (0, self._widest - width)))
            biases.append(convolution.bias)
            real.append(self._is_window(position, width, lengths[word]))
        weight, bias = torch.cat(filters), torch.cat(biases)  # (filters, channels, widest), (filters,)
        if observed or torch.is_grad_enabled():
            sentences = rows[word] // num_tokens if observed else None
            vectors = torch.cat(
                [layer(characters, sentences) for layer, characters in zip(layers, ids, strict=True)], dim=1
            )
            padded = torch.nn.functional.pad(vectors, (0, 0, 0, self._widest - 1))
            windows = torch.cat([padded[shift : shift + len(vectors)] for shift in range(self._widest)], dim=1)
            scores = torch.addmm(bias, windows, weight.permute(2, 1, 0).flatten(0, 1))
        else:
            scores = looked_up_scores(ids, [layer.weight for layer in layers], weight) + bias
        # A window beyond the end of its word reads into the next one, and does not count.
        wanted = torch.stack(real, dim=1).unsqueeze(2)  # (characters, widths, 1)
        scores = scores.unflatten(1, (wanted.size(1), -1)).masked_fill(~wanted, -torch.inf).flatten(1)
        maxima = self.highway(torch.tanh(segment_maximum(scores, word, len(rows))))
        return features.index_copy(0, tokens, maxima if occurrences is None else maxima.index_select(0, occurrences))

    def _is_window(self, first: torch.Tensor, width: int, lengths: torch.Tensor) -> torch.Tensor:
        """Whether the window of `width` from position `first` on counts for words of these `lengths`."""
        return (first < lengths) & (first + width <= lengths.clamp(min=self._widest))


def longest_words(model: torch.nn.Module) -> dict[str, int]:
    """By the key of a token embedder in the model: how many characters of a word `CharCnnHighway` reads, if it has a limit."""
    limits: dict[str, int] = {}
    without: set[str] = set()
    for embedder in model.modules():
        if isinstance(embedder, TextFieldEmbedder):
            for name, child in embedder.named_children():
                key = name.removeprefix("token_embedder_")
                if isinstance(child, CharCnnHighway) and child._max_word_length is not None:
                    limits[key] = max(child._max_word_length, limits.get(key, 0))
                else:
                    without.add(key)
    return {key: limit for key, limit in limits.items() if key not in without}


def _lengths(words: list[torch.Tensor]) -> torch.Tensor:
    """
    Characters of each word: up to the last with an id other than 0 in any of the inputs `(tokens, characters)`. A character
    inside a word may have the id of padding, if the vocabulary's padding token is that character.
    """
    real = torch.stack([ids != 0 for ids in words]).any(dim=0)  # (tokens, characters)
    return (real * torch.arange(1, real.size(1) + 1, device=real.device)).amax(dim=1)
