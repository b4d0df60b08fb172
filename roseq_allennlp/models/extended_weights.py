"""The weights of a trained tagger for a larger vocabulary: what was learned stays as it is, what is new has a beginning."""

from collections.abc import Mapping
from typing import Any

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model
from allennlp.modules.token_embedders import Embedding


def embeddings_of(model: torch.nn.Module, namespace: str) -> dict[str, Embedding]:
    """The tables of vectors for a namespace of the vocabulary, by their names in the model."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Embedding) and getattr(module, "_vocab_namespace", None) == namespace
    }


def is_fixed(model: torch.nn.Module, namespace: str) -> bool:
    """Whether the vectors for a namespace are not trained, so that a word without one in a file has none."""
    return any(not module.weight.requires_grad for module in embeddings_of(model, namespace).values())


@torch.no_grad()
def take_over(model: Model, trained: Model) -> None:
    """
    Gives a model the weights of a trained one whose vocabulary is the beginning of its own. New rows of the emissions and
    new rows and columns of the transitions keep their random values.

    # Raises

    `ConfigurationError`: a weight has another shape than a larger vocabulary gives it.
    """
    before = trained.state_dict()
    growing = _growing(model)
    for name, value in model.state_dict().items():
        if name not in before:
            continue  # a part that the config has added
        old = before[name]
        grown = name.rpartition(".")[2] in ("transitions", "start_transitions", "end_transitions", "label_weights")
        grown = grown or name in growing or "_emission_layer." in name
        fits = old.dim() == value.dim() and all(map(int.__le__, old.shape, value.shape))
        if old.shape != value.shape and not (grown and fits):
            raise ConfigurationError(
                f"the weight {name} of the archive has the shape {list(old.shape)}, the config gives it {list(value.shape)}."
                " Change no sizes of a trained tagger."
            )
        value[tuple(map(slice, old.shape))] = old


def _growing(model: torch.nn.Module) -> set[str]:
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, Embedding) and getattr(module, "_vocab_namespace", None) is not None
    }


@torch.no_grad()
def begin_new_vectors(
    model: Model, rows: Mapping[str, Mapping[str, int]], vectors: Mapping[str, Mapping[str, torch.Tensor]]
) -> None:
    """
    # Parameters

    model : `Model`
        With the vectors of the trained one in their rows.
    rows : `Mapping[str, Mapping[str, int]]`
        By namespace, for each new entry the row that stood for it before: mostly that of unknown ones. Its vector is the
        new entry's, so that the tagger answers at first as it did.
    vectors : `Mapping[str, Mapping[str, torch.Tensor]]`
        By namespace and entry, `(embedding_dim,)` from a file, in place of that. Tables of another width do without.
    """
    for namespace, of_namespace in rows.items():
        index: Any = model.vocab.get_token_to_index_vocabulary(namespace)
        given = vectors.get(namespace, {})
        for module in embeddings_of(model, namespace).values():
            values = module.weight[list(of_namespace.values())]  # (new entries, embedding_dim), a copy
            for position, entry in enumerate(of_namespace):
                if entry in given and len(given[entry]) == values.size(1):
                    values[position] = given[entry]
            module.weight[[index[entry] for entry in of_namespace]] = values
