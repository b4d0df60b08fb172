"""The vocabulary of a trained tagger and what new data adds to it, at the end of each namespace."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import TextField
from allennlp.models import Model

from roseq_allennlp.data.downloads import fetch_vectors
from roseq_allennlp.data.token_indexers import FoldedWordsIndexer
from roseq_allennlp.data.vector_files import read_vectors
from roseq_allennlp.data.vectors import readable
from roseq_allennlp.models.extended_weights import embeddings_of, is_fixed

_MIN_COUNT = 2  # where the archive's config has none: what is met once trains the vector of what is unknown
_LINE_ENDS = {"\n", "\r"}  # which a line of a vocabulary's file cannot hold
_WORDS = "tokens"
_LABELS = "labels"
_COMPARED = 100  # words that the archive and a file have in common

Vectors = Mapping[str, Mapping[str, torch.Tensor]]
"""By namespace and word, `(embedding_dim,)`."""


class Extension(NamedTuple):
    """A larger vocabulary, and by namespace for each new entry the row of the smaller one that stood for it before."""

    vocab: Vocabulary
    rows: dict[str, dict[str, int]]


def extended(
    trained: Vocabulary,
    instances: Iterable[Instance],
    types: Sequence[str],
    model: Model,
    vectors: Vectors,
    params: Any,
) -> Extension:
    """
    Adds the tags of new types, and words, characters and shapes that occur at least as often as the archive's `min_count`
    says, or twice. A namespace whose vectors are not trained gets the words of a file, and no others.

    # Parameters

    trained : `Vocabulary`
        Stays as it is.
    instances : `Iterable[Instance]`
        What is trained on, with its token indexers.
    types : `Sequence[str]`
        Entity types.
    model : `Model`
        The trained one.
    vectors : `Mapping[str, Mapping[str, torch.Tensor]]`
        Of a file, see `vectors_for`.
    params : `Any`
        The key `vocabulary` of the archive's config.
    """
    counter: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    indexers: dict[str, TokenIndexer] = {}
    for instance in instances:
        instance.count_vocab_items(counter)
        field: Any = instance["tokens"]
        indexers = field.token_indexers if isinstance(field, TextField) else {}
    vocab = copy.deepcopy(trained)
    rows: dict[str, dict[str, int]] = {}
    for namespace, counts in counter.items():
        if namespace == _LABELS or namespace not in trained.get_namespaces() or not trained.is_padded(namespace):
            continue
        least = _min_count(params, namespace)
        frequent = [entry for entry in sorted(counts, key=lambda entry: -counts[entry]) if counts[entry] >= least]
        entries: Iterable[str] = vectors.get(namespace, {}) if is_fixed(model, namespace) else frequent
        known = trained.get_token_to_index_vocabulary(namespace)
        new = [entry for entry in entries if entry not in known and not {*entry} & _LINE_ENDS]
        for entry in new:
            vocab.add_token_to_namespace(entry, namespace)
        if new:
            rows[namespace] = dict(zip(new, _rows_before(new, namespace, trained, indexers), strict=True))
    for label in types:
        for prefix in "BILU":
            vocab.add_token_to_namespace(f"{prefix}-{label}", _LABELS)
    return Extension(vocab, rows)


def _rows_before(
    entries: Sequence[str], namespace: str, trained: Vocabulary, indexers: Mapping[str, TokenIndexer]
) -> list[int]:
    """The rows that the trained tagger took for entries it lacks: `folded_words` may know another form of a word."""
    for indexer in indexers.values():
        if isinstance(indexer, FoldedWordsIndexer) and indexer.namespace == namespace:
            return indexer.tokens_to_indices([Token(entry) for entry in entries], trained)["tokens"]
    return [trained.get_token_index(trained._oov_token, namespace)] * len(entries)


def _min_count(params: Any, namespace: str) -> int:
    counts = params.get("min_count") if isinstance(params, dict) else None
    if not isinstance(counts, dict):
        return _MIN_COUNT
    least = counts.get(namespace, 1)
    return least if type(least) is int else _MIN_COUNT


def vectors_for(file: str, model: Model) -> dict[str, dict[str, torch.Tensor]]:
    """
    The vectors of a file for the tables of words of a trained model: for those that are not trained, or else for `tokens`.

    # Raises

    `ConfigurationError`: the model has no such table, or the file is not the one of its vectors.
    """
    namespaces = [name for name in model.vocab.get_namespaces() if is_fixed(model, name)]
    namespaces = namespaces or [_WORDS]
    result: dict[str, dict[str, torch.Tensor]] = {}
    for namespace in namespaces:
        tables = embeddings_of(model, namespace)
        if not tables:
            raise ConfigurationError(
                f"vectors: the archive has no table of word vectors for {file}, as its words are read by an encoder. Leave"
                " it out."
            )
        (table, *_) = tables.values()
        dim = table.weight.shape[1]
        fetch_vectors(file, dim)
        read = read_vectors(readable(file), dim)
        result[namespace] = {word: torch.from_numpy(vector) for word, vector in read.items()}
        if not table.weight.requires_grad:
            _check_same_kind(file, table.weight.detach().cpu().numpy(), model.vocab, namespace, read)
    return result


def _check_same_kind(
    file: str, table: np.ndarray, vocab: Vocabulary, namespace: str, read: Mapping[str, np.ndarray]
) -> None:
    """Vectors of another space would mean nothing to the tagger."""
    known = vocab.get_token_to_index_vocabulary(namespace)
    common = [word for word in read if word in known][:_COMPARED]
    other = [word for word in common if not np.allclose(table[known[word]], read[word], atol=1e-3)]
    if 2 * len(other) > len(common):
        raise ConfigurationError(
            f"vectors: {file} has other vectors than the archive, for {other[0]!r} among others. Give the file that it was"
            " trained with, or a larger one of the same vectors."
        )
