"""Word vectors made by a pretrained encoder that reads each word alone."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.token_indexers.transformer_indexer import TransformerIndexer
from roseq_allennlp.data.vector_files import MEAN_NORM
from roseq_allennlp.modules.token_embedders.transformer_embedder import TransformerEmbedder
from roseq_allennlp.nn.principal_axes import principal_axes

_WORDS_AT_A_TIME = 4096


class WordEncoder:
    """
    # Parameters

    name : `str`
        A directory or a name on the Hugging Face Hub, see `transformer`.
    """

    def __init__(self, name: str) -> None:
        self._indexer = TransformerIndexer(name)
        self._embedder = TransformerEmbedder(name, mix_layers=False).eval()
        self.width = self._embedder.get_output_dim()
        """H, the size of the encoder's states."""

    @torch.inference_mode()
    def __call__(self, words: Sequence[str]) -> torch.Tensor:
        """`(N, H)` float32: for each word alone, the mean of the last layer over its pieces."""
        parts = [torch.zeros(0, self.width)]
        for first in range(0, len(words), _WORDS_AT_A_TIME):
            pieces = self._indexer.split([[word] for word in words[first : first + _WORDS_AT_A_TIME]])
            parts.append(self._embedder(**self._indexer.tensors(pieces)).squeeze(1))
        return torch.cat(parts)


def vectors_of_words(
    encoder: WordEncoder, spellings: Mapping[str, "Counter[str]"], dim: int
) -> tuple[list[str], torch.Tensor]:
    """
    A vector for each word of a text: that of its most frequent spelling by `encoder`, centred and turned to the principal
    axes, both weighted by the square root of the word's count, and scaled to a mean norm of 6.

    # Parameters

    spellings : `Mapping[str, Counter[str]]`
        For each word, as it will be looked up, how often the text has it in each spelling.
    dim : `int`

    # Returns

    The words, the most frequent ones first, and `(N, dim)` float64.

    # Raises

    `ConfigurationError`: `dim` is above the encoder's width, or not below the number of words.
    """
    counts = {word: counter.total() for word, counter in spellings.items()}
    words = sorted(spellings, key=lambda word: -counts[word])
    if not 0 < dim <= encoder.width or dim >= len(words):
        raise ConfigurationError(
            f"the vectors can have 1 to {min(encoder.width, len(words) - 1)} dimensions, as the encoder is {encoder.width}"
            f" wide and the text has {len(words)} words; got {dim}."
        )
    # The spelling met first where two are as frequent.
    states = encoder([spellings[word].most_common(1)[0][0] for word in words]).double()  # (N, H)
    mean, axes = principal_axes(states, torch.tensor([counts[word] for word in words]).sqrt(), dim)
    vectors = (states - mean) @ axes  # (N, dim)
    return words, vectors * (MEAN_NORM / vectors.norm(dim=1).mean())
