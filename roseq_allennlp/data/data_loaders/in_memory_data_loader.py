from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Optional, Union

import numpy as np
import torch
import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.data import BatchSampler, DataLoader, DatasetReader, Field, Instance, TensorDict, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.data_loaders.data_collator import allennlp_collate
from allennlp.data.dataset_readers import DatasetReaderInput
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
from allennlp.nn.util import dist_reduce, is_distributed, move_to_device

from roseq_allennlp.data.token_indexers import OrthographicCharactersIndexer

# What is known to pad with zeros at the end of each dimension, up to the largest of the batch, or not at all.
_FIELDS = {IndexField, LabelField, MultiLabelField, NamespaceSwappingField, SequenceLabelField, SpanField}
_PADDING = {
    indexer.as_padded_tensor_dict for indexer in (TokenIndexer, TokenCharactersIndexer, OrthographicCharactersIndexer)
}
_LENGTHS = {indexer.get_padding_lengths for indexer in (TokenIndexer, TokenCharactersIndexer)}


class _Leaf(NamedTuple):
    """One tensor of a field, for all instances."""

    arrays: list[np.ndarray]  # without padding
    dtype: torch.dtype


# A field of all instances: its tensors, nested as the field nests them, or what a MetadataField holds.
_Column = Union[_Leaf, dict[str, "_Column"], list[Any]]


@DataLoader.register("in_memory")
class InMemoryDataLoader(MultiProcessDataLoader):
    """
    Gives the batches of AllenNLP's `multiprocess` loader, the same in the same order under the same seeds, many times
    faster: each instance is read, indexed and made into tensors once, and a batch only pads and stacks them. Everything
    stays in memory, the instances too. Without workers.

    In distributed training each process holds its own shard, and one whose shard makes a batch less than another's cuts a
    batch in two: the trainer ends an epoch, and validation, at the first process without a batch, and would leave out
    sentences of the others.

    Of the fields, `TextField` with indexers that pad with zeros, labels, indices, spans and metadata are kept as
    tensors; others, and those of instances that differ in their fields, are collated by AllenNLP for each batch. A field
    changed after the first batch goes unnoticed until `index_with`, which indexes all anew for another vocabulary.

    # Parameters

    reader : `DatasetReader`
    data_path : `DatasetReaderInput`
        AllenNLP takes both from `dataset_reader` and `train_data_path` or `validation_data_path`.
    batch_size : `int`, optional
        In instances; needed without `batch_sampler`.
    drop_last : `bool`, optional (default = `False`)
        Leave out the last batch where it is smaller than `batch_size`.
    shuffle : `bool`, optional (default = `False`)
        In each epoch anew.
    batch_sampler : `BatchSampler`, optional
        In place of `batch_size`, `drop_last` and `shuffle`.
    batches_per_epoch : `int`, optional (default = all)
        The next epoch goes on where this one ends.
    cuda_device : `Optional[Union[int, str, torch.device]]`, optional (default = `None`)
        Where batches are put; the trainer sets it.
    quiet : `bool`, optional (default = `False`)
        No progress bar while reading.

    # Raises

    `ConfigurationError`: a number below 1; `batch_sampler` together with what it replaces, or neither.
    """

    def __init__(
        self,
        reader: DatasetReader,
        data_path: DatasetReaderInput,
        *,
        batch_size: Optional[int] = None,
        drop_last: bool = False,
        shuffle: bool = False,
        batch_sampler: Optional[BatchSampler] = None,
        batches_per_epoch: Optional[int] = None,
        cuda_device: Optional[Union[int, str, torch.device]] = None,
        quiet: bool = False,
    ) -> None:
        for name, number in {"batch_size": batch_size, "batches_per_epoch": batches_per_epoch}.items():
            if number is not None and number < 1:
                raise ConfigurationError(f"in_memory: `{name}` must be at least 1, got {number}.")
        replaced = {"batch_size": batch_size, "drop_last": drop_last, "shuffle": shuffle}
        given = ", ".join(f"`{name}` {value}" for name, value in replaced.items() if value)
        if batch_sampler is not None and given:
            raise ConfigurationError(
                f"in_memory: `batch_sampler` takes the place of `batch_size`, `drop_last` and `shuffle`, got it with"
                f" {given}. Leave these out, or the sampler; `-o` can give `data_loader` as a whole."
            )
        if batch_sampler is None and batch_size is None:
            raise ConfigurationError("in_memory: needs `batch_size` or a `batch_sampler`, got neither. Give one.")
        self._draw: Optional[Callable[[int], Sequence[Instance]]] = None
        self._passes = 0
        self._added = 0  # of the instances, at their end
        super().__init__(
            reader,
            data_path,
            batch_size=batch_size,  # type: ignore[arg-type]
            drop_last=drop_last,
            shuffle=shuffle,
            batch_sampler=batch_sampler,  # type: ignore[arg-type]
            batches_per_epoch=batches_per_epoch,  # type: ignore[arg-type]
            cuda_device=cuda_device,
            quiet=quiet,
            collate_fn=list,  # type: ignore[arg-type]  # not yet: first all processes are to have as many batches
        )
        self._rows: dict[int, int] = {}  # of each instance, by its id; made with the columns for the first batch
        self._columns: dict[str, _Column] = {}

    def index_with(self, vocab: Vocabulary) -> None:
        if self._vocab is not None and vocab is not self._vocab:
            for instance in self._instances or ():
                instance.indexed = False
        try:
            super().index_with(vocab)
        except KeyError as error:
            path: Any = self.data_path  # type: ignore[has-type]
            raise ConfigurationError(
                f"{path}: {error.args[0]}. Its labels are not all among those that were declared or trained on:"
                " take out the sentences or labels that are not, or train with them."
            ) from error
        self._rows = {}

    def add_to_each_pass(self, draw: Callable[[int], Sequence[Instance]]) -> None:
        """
        Gives more instances in each pass over the data: those of `draw(n)`, always as many, in the nth from now, from 0.
        `iter_instances` leaves them out: what is counted over it, words or labels, is of the data alone.
        """
        self._draw, self._passes = draw, 0
        self._add(draw(0))  # now, for the loader's length

    def _add(self, instances: Sequence[Instance]) -> None:
        self._instances = [*self.iter_instances(), *map(self._index_instance, instances)]
        self._added = len(instances)
        self._rows = {}

    def iter_instances(self) -> Iterator[Instance]:
        own = None if self._instances is None else len(self._instances) - self._added
        return islice(super().iter_instances(), own)

    def _iter_batches(self) -> Iterator[TensorDict]:
        if self._draw is not None and self._passes:
            self._add(self._draw(self._passes))
        self._passes += 1
        yield from self._instances_to_batches(self._instances or (), move_to_device=True)

    def _instances_to_batches(
        self, instance_iterator: Iterable[Instance], move_to_device: bool
    ) -> Iterator[TensorDict]:
        batches: Iterable[Any] = super()._instances_to_batches(instance_iterator, move_to_device=False)
        if is_distributed():
            batches = list(batches)
            batches = split_into(dist_reduce(len(batches), dist.ReduceOp.MAX), batches)
        # `_collate` moves the tensors: AllenNLP would look for them in each word of the metadata.
        return map(self._collate, batches)

    def _collate(self, instances: list[Instance]) -> TensorDict:
        if not self._rows:
            assert self._instances is not None
            self._rows = {id(instance): row for row, instance in enumerate(self._instances)}
            self._columns = _columns(self._instances)
        rows = [self._rows[id(instance)] for instance in instances]
        batch: dict[str, Any] = dict.fromkeys(instances[0].fields)  # their order
        batch.update({name: _take(column, rows, self.cuda_device) for name, column in self._columns.items()})
        if batch.keys() != self._columns.keys():
            others = [
                Instance({name: field for name, field in instance.fields.items() if name not in self._columns})
                for instance in instances
            ]
            rest = allennlp_collate(others)
            batch.update(rest if self.cuda_device is None else move_to_device(rest, self.cuda_device))
        return batch


def split_into(number: int, batches: Sequence[list[Instance]]) -> list[list[Instance]]:
    """
    The same instances in that many batches, at least as many as there are: the last of the largest is cut in two until
    there are enough.

    # Raises

    `ConfigurationError`: there are not as many instances.
    """
    batches = list(batches)
    while len(batches) < number:
        size, place = max(((len(batch), place) for place, batch in enumerate(batches)), default=(0, 0))
        if size < 2:
            raise ConfigurationError(
                f"in_memory: a process of this distributed run has {sum(map(len, batches))} sentences, too few for"
                f" {number} batches. Train in fewer processes, or in larger batches."
            )
        batch = batches[place]
        batches[place : place + 1] = [batch[: size // 2], batch[size // 2 :]]
    return batches


def _columns(instances: Sequence[Instance]) -> dict[str, _Column]:
    """The fields that need no collation by AllenNLP."""
    if len({tuple((name, type(field)) for name, field in instance.fields.items()) for instance in instances}) != 1:
        return {}
    columns = {name: _column([instance.fields[name] for instance in instances]) for name in instances[0].fields}
    return {name: column for name, column in columns.items() if column is not None}


def _column(fields: Sequence[Field]) -> Optional[_Column]:
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


def _leaves(tensors: Sequence[Any]) -> Optional[_Column]:
    """Transposes tensors, nested in dictionaries, of each instance; `None` where these are not all alike."""
    if isinstance(tensors[0], dict):
        if any(tensor.keys() != tensors[0].keys() for tensor in tensors):
            return None
        leaves = {key: _leaves([tensor[key] for tensor in tensors]) for key in tensors[0]}
        return None if None in leaves.values() else leaves  # type: ignore[return-value]
    if len({(tensor.dtype, tensor.dim()) for tensor in tensors}) != 1:
        return None
    return _Leaf([_narrow(tensor.numpy()) for tensor in tensors], tensors[0].dtype)


def _narrow(array: np.ndarray) -> np.ndarray:
    """In 16 bits where all values fit, a quarter of the memory. Never a view: that would keep its tensor alive."""
    narrow = array.astype(np.int16)
    return narrow if np.array_equal(narrow, array) else array.copy()


def _take(column: _Column, rows: Sequence[int], device: Optional[torch.device]) -> Any:
    """Some instances' part of a column, as a batch."""
    if isinstance(column, dict):
        return {key: _take(part, rows, device) for key, part in column.items()}
    if isinstance(column, list):
        return [column[row] for row in rows]
    arrays = [column.arrays[row] for row in rows]
    batch = torch.zeros((len(arrays), *map(max, zip(*(array.shape for array in arrays)))), dtype=column.dtype)
    target = batch.numpy()
    for row, array in enumerate(arrays):
        part: tuple[Any, ...] = (row, *map(slice, array.shape))
        target[part] = array
    # Not waiting for the GPU is safe: CUDA has its own copy of memory that is not pinned before the call returns.
    return batch if device is None else batch.to(device, non_blocking=True)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, torch.Tensor) or isinstance(value, (list, tuple)) and any(map(_holds_tensor, value))
