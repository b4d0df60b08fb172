"""Outputs of a tagger's embedders for the words met last, which are computed once a word and not once a batch."""

import threading
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any, Optional

import torch
from allennlp.data import TextFieldTensors
from allennlp.models import Model
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding

from roseq_allennlp.data.word_table import WordTable
from roseq_allennlp.models.label_aware_crf_tagger import LabelAwareCrfTagger
from roseq_allennlp.models.tagger import EMBEDDED, Tagger
from roseq_allennlp.models.tagger_ensemble import TaggerEnsemble
from roseq_allennlp.modules.token_embedders import CharCnnHighway, FixedEmbedding

_MAX_CHARACTERS = 4_000_000  # of all words kept


class WordFeatures:
    """
    What `Tagger.embed` gives for words, kept for those met last: the same numbers as without, bit for bit. After a change of
    the embedders' weights it starts afresh. Safe to share among threads.

    # Parameters

    model : `Tagger`
        With embedders that look at one word at a time, see `word_features`.
    table : `WordTable`
    max_words : `int`, optional
        What is kept; when it is full, the words that were met longest ago go. By default as many as take 32 MB.
    """

    def __init__(self, model: Tagger, table: WordTable, max_words: Optional[int] = None) -> None:
        self._model, self._table = model, table
        self._width = sum(embedder.get_output_dim() for embedder in model.embedders)
        self._max_words = 2**23 // self._width if max_words is None else max_words
        self._lock = threading.Lock()
        # Which tensors these are is looked up anew each time: a parameter may be replaced.
        modules = chain.from_iterable(embedder.modules() for embedder in model.embedders)
        self._parameters: list[dict[str, Any]] = [module._parameters for module in modules if module._parameters]
        self._weights: list[tuple[int, int]] = []
        self._num_characters = 0  # of the words kept
        self.num_tokens = self.num_hits = 0  # tokens looked up so far, and those whose word was there

    def __reduce__(self) -> tuple[Any, ...]:
        return WordFeatures, (self._model, self._table, self._max_words)

    def tensors(self, sentences: Sequence[Sequence[str]]) -> Optional[TextFieldTensors]:
        """
        `tokens` for the tagger: `vectors` `(B, T, width)`, zero at padding, and `mask` `(B, T)`. `None` if the sentences have
        more distinct words than are kept, and for a model in training mode.
        """
        words = list(chain.from_iterable(sentences))
        distinct = set(words)
        if self._model.training or len(distinct) > self._max_words:
            return None
        lengths = torch.tensor(list(map(len, sentences)))  # (B,)
        mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)  # (B, T)
        rows = mask.new_zeros(mask.shape, dtype=torch.long)  # (B, T), of the table of vectors; 0 is that of padding
        with self._lock, torch.inference_mode():
            self._clear_if_outdated()
            met = {word: self._rows.pop(word) for word in distinct if word in self._rows}
            self._rows.update(met)  # behind all others
            new = distinct.difference(met)
            self._add(list(new))
            rows[mask] = torch.tensor(list(map(self._rows.__getitem__, words)))
            vectors = torch.nn.functional.embedding(rows, self._vectors)  # (B, T, width)
            self.num_tokens += len(words)
            self.num_hits += len(words) - len(new)
        return {EMBEDDED: {"vectors": vectors, "mask": mask}}

    def _clear_if_outdated(self) -> None:
        weights = [
            (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version)
            for parameters in self._parameters
            for tensor in parameters.values()
        ]
        if weights != self._weights or self._num_characters > _MAX_CHARACTERS:
            self._weights = weights
            self._rows: dict[str, int] = {}  # those met longest ago first
            self._num_characters = 0
            self._vectors = torch.empty(self._max_words + 1, self._width)  # memory is taken as rows are filled
            self._vectors[0] = 0.0

    def _add(self, words: list[str]) -> None:
        if not words:
            return
        vectors = self._model.embed(self._table.tensors([words]))[0]  # (words, width)
        first = len(self._rows) + 1
        rows = list(range(first, min(first + len(words), self._max_words + 1)))
        for word in list(islice(self._rows, len(words) - len(rows))):
            rows.append(self._rows.pop(word))
            self._num_characters -= len(word)
        self._vectors[rows] = vectors.to(self._vectors.dtype)
        self._rows.update(zip(words, rows, strict=True))
        self._num_characters += sum(map(len, words))


def word_features(model: Model, table: Optional[WordTable]) -> Optional[WordFeatures]:
    """
    For `model` on the CPU; `None` unless the numbers are sure to be those without: the model is a tagger of this package and
    no subclass, and its embedders are `embedding`, `fixed_embedding` and `char_cnn_highway`, which give a word the same
    vector in every batch.
    """
    taggers = model.members if isinstance(model, TaggerEnsemble) else [model]
    if table is None or any(type(tagger) is not LabelAwareCrfTagger for tagger in taggers):
        return None
    assert isinstance(model, Tagger)
    if next(model.parameters()).device.type != "cpu":
        return None
    for embedder in model.embedders:
        if type(embedder) is not BasicTextFieldEmbedder or not all(map(_is_known, embedder.children())):
            return None
    return WordFeatures(model, table)


def _is_known(embedder: torch.nn.Module) -> bool:
    if type(embedder) in (Embedding, FixedEmbedding):
        return embedder._projection is None and embedder.weight.dtype == torch.float32
    return type(embedder) is CharCnnHighway
