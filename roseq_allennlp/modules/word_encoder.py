"""Word vectors made by a pretrained encoder that reads each word alone."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.nn.principal_axes import principal_axes

_MAX_PIECES = 64  # of a word that are read
_BATCH_SIZE = 256
_MEAN_NORM = 6.0  # that of GloVe's 100-dimensional vectors, for which the model's other sizes were chosen


class WordEncoder:
    """
    # Parameters

    name : `str`
        A directory or a name on the Hugging Face Hub: an encoder with a fast tokenizer.

    # Raises

    `ConfigurationError`: there is no such encoder, or it has no fast tokenizer.
    """

    def __init__(self, name: str) -> None:
        from transformers import AutoModel, AutoTokenizer  # here, as a run without an encoder does not need it

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            self._model = AutoModel.from_pretrained(name, trust_remote_code=False).float().eval()
        except Exception as error:  # the library raises nearly anything for a directory that is no encoder
            reason = " ".join(str(error).split())[:200]
            raise ConfigurationError(
                f"{name}: no encoder can be loaded ({reason}). Give a directory with config.json, weights and"
                " tokenizer.json, or the name of one on the Hugging Face Hub."
            ) from error
        if not self._tokenizer.is_fast:
            raise ConfigurationError(f"{name}: has no fast tokenizer (tokenizer.json). Take another encoder.")
        self.width: int = self._model.config.hidden_size
        """H, the size of the encoder's states."""

    @torch.inference_mode()
    def __call__(self, words: Sequence[str]) -> torch.Tensor:
        """
        `(N, H)` float32: for each word alone, the mean of the last layer over its pieces, the special ones left out. A word
        without a piece, such as one of zero-width characters, has zeros.
        """
        encoded = self._tokenizer(
            list(words),
            truncation=True,
            max_length=_MAX_PIECES,
            return_special_tokens_mask=True,
            return_attention_mask=True,
        )
        lengths = list(map(len, encoded["input_ids"]))
        order = sorted(range(len(words)), key=lengths.__getitem__)
        result = torch.zeros(len(words), self.width)  # (N, H)
        for first in range(0, len(words), _BATCH_SIZE):
            indices = order[first : first + _BATCH_SIZE]
            batch = self._tokenizer.pad(
                {key: [values[index] for index in indices] for key, values in encoded.items()}, return_tensors="pt"
            )
            special = batch.pop("special_tokens_mask")
            pieces = ((special == 0) & (batch["attention_mask"] == 1)).unsqueeze(2)  # (B, P, 1)
            states = self._model(**batch).last_hidden_state  # (B, P, H)
            result[indices] = (states * pieces).sum(dim=1) / pieces.sum(dim=1).clamp(min=1)
        return result


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
    # The spelling met first where two are as frequent.
    states = encoder([spellings[word].most_common(1)[0][0] for word in words]).double()  # (N, H)
    if not 0 < dim <= states.size(1) or dim >= len(words):
        raise ConfigurationError(
            f"the vectors can have 1 to {min(states.size(1), len(words) - 1)} dimensions, as the encoder is {states.size(1)}"
            f" wide and the text has {len(words)} words; got {dim}."
        )
    mean, axes = principal_axes(states, torch.tensor([counts[word] for word in words]).sqrt(), dim)
    vectors = (states - mean) @ axes  # (N, dim)
    return words, vectors * (_MEAN_NORM / vectors.norm(dim=1).mean())
