"""Fields of all instances as columns of arrays, from which batches are padded and stacked."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

import numpy as np
import torch
from allennlp.data import Field, Instance
from allennlp.data.fields import (
    IndexField,
    LabelField,
    MetadataField,
    MultiLabelField,
    NamespaceSwappingField,
    SequenceLabelField,
    SpanField,
    TextField,
)
from allennlp.data.token_indexers import TokenCharactersIndexer, TokenIndexer

from roseq_allennlp.data.tags_field import TagsField
from roseq_allennlp.data.token_indexers import OrthographicCharactersIndexer

# What is known to pad with zeros at the end of each dimension, up to the largest of the batch, or not at all.
_FIELDS = {IndexField, LabelField, MultiLabelField, NamespaceSwappingField, SequenceLabelField, SpanField, TagsField}
_PADDING = {
    indexer.as_padded_tensor_dict for indexer in (TokenIndexer, TokenCharactersIndexer, OrthographicCharactersIndexer)
}
_LENGTHS = {indexer.get_padding_lengths for indexer in (TokenIndexer, TokenCharactersIndexer)}


class Leaf(NamedTuple):
    """One tensor of a field, for all instances."""

    arrays: list[np.ndarray]  # without padding
    dtype: torch.dtype


Column = Union[Leaf, dict[str, "Column"], list[Any]]
"""A field of all instances: its tensors, nested as the field nests them, or what a `MetadataField` holds."""


def columns_of(instances: Sequence[Instance]) -> dict[str, Column]:
    """
    Columns by field name; fields that AllenNLP must collate are missing. These are all fields if instances differ in their
    fields, and otherwise those that neither pad with zeros nor hold metadata without tensors.
    """
    if len({tuple((name, type(field)) for name, field in instance.fields.items()) for instance in instances}) != 1:
        return {}
    columns = {name: _column([instance.fields[name] for instance in instances]) for name in instances[0].fields}
    return {name: column for name, column in columns.items() if column is not None}


def _column(fields: Sequence[Field]) -> Optional[Column]:
    if type(fields[0]) is MetadataField:
        values = [field.metadata for field in fields]  # type: ignore[attr-defined]
        return None if _holds_tensor(values) else values
    if all(map(_pads_with_zeros, fields)):
        return _leaves([field.as_tensor(field.get_padding_lengths()) for field in fields])
    return None


def _pads_with_zeros(field: Field) -> bool:
    if type(field) is not TextField:
        return type(field) in _FIELDS
    kinds: set[type[TokenIndexer]] = set(map(type, field.token_indexers.values()))
    return all(kind.as_padded_tensor_dict in _PADDING and kind.get_padding_lengths in _LENGTHS for kind in kinds)


def _leaves(tensors: Sequence[Any]) -> Optional[Column]:
    """Gathers the tensors of all instances, nested in dictionaries, by their keys; `None` where instances differ."""
    if isinstance(tensors[0], dict):
        if any(tensor.keys() != tensors[0].keys() for tensor in tensors):
            return None
        leaves = {key: _leaves([tensor[key] for tensor in tensors]) for key in tensors[0]}
        return None if None in leaves.values() else leaves  # type: ignore[return-value]
    if len({(tensor.dtype, tensor.dim()) for tensor in tensors}) != 1:
        return None
    return Leaf([_narrow(tensor.numpy()) for tensor in tensors], tensors[0].dtype)


def _narrow(array: np.ndarray) -> np.ndarray:
    """In 16 bits where all values fit, a quarter of the memory. Never a view: that would keep its tensor alive."""
    narrow = array.astype(np.int16)
    return narrow if np.array_equal(narrow, array) else array.copy()


def batch_of(column: Column, rows: Sequence[int], device: Optional[torch.device]) -> Any:
    """The rows `rows` of a column, padded with zeros and stacked: tensors `(len(rows), …)`, or a list of metadata."""
    if isinstance(column, dict):
        return {key: batch_of(part, rows, device) for key, part in column.items()}
    if isinstance(column, list):
        return [column[row] for row in rows]
    arrays = [column.arrays[row] for row in rows]
    batch = torch.zeros(
        (len(arrays), *map(max, zip(*(array.shape for array in arrays), strict=True))), dtype=column.dtype
    )
    target = batch.numpy()
    for row, array in enumerate(arrays):
        part: tuple[Any, ...] = (row, *map(slice, array.shape))
        target[part] = array
    # Asynchronous copies are safe: before the call returns, CUDA has copied memory that is not pinned.
    return batch if device is None else batch.to(device, non_blocking=True)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, torch.Tensor) or isinstance(value, (list, tuple)) and any(map(_holds_tensor, value))
