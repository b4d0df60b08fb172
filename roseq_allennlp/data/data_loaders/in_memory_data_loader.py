from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Optional, Union

import torch
import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.data import BatchSampler, DataLoader, DatasetReader, Instance, TensorDict, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.data_loaders.data_collator import allennlp_collate
from allennlp.data.dataset_readers import DatasetReaderInput
from allennlp.nn.util import dist_reduce, is_distributed, move_to_device

from roseq_allennlp.data.data_loaders.tensor_columns import Column, batch_of, columns_of


@DataLoader.register("in_memory")
class InMemoryDataLoader(MultiProcessDataLoader):
    """
    Gives the batches of AllenNLP's `multiprocess` loader, the same in the same order under the same seeds, many times
    faster: each instance is read, indexed and made into tensors once, and a batch only pads and stacks them. Everything
    stays in memory, the instances too. Without workers.

    In distributed training each process holds its own shard. The trainer stops at the first process without a batch and
    would leave out the other processes' sentences, so a process with fewer batches splits one of its own.

    Fields that `tensor_columns` knows are kept as tensors; AllenNLP collates all others for each batch. A field changed
    after the first batch goes unnoticed until `index_with`, which indexes all instances anew for another vocabulary.

    # Parameters

    reader : `DatasetReader`
    data_path : `DatasetReaderInput`
        AllenNLP takes both from `dataset_reader` and `train_data_path` or `validation_data_path`.
    batch_size : `int`, optional
        Number of instances; needed without `batch_sampler`.
    drop_last : `bool`, optional (default = `False`)
        Leave out the last batch where it is smaller than `batch_size`.
    shuffle : `bool`, optional (default = `False`)
        Draw a new order in each epoch.
    batch_sampler : `BatchSampler`, optional
        Takes the place of `batch_size`, `drop_last` and `shuffle`.
    batches_per_epoch : `int`, optional (default = all)
        The next epoch goes on where this one ends.
    cuda_device : `Optional[Union[int, str, torch.device]]`, optional (default = `None`)
        Device to put batches on; the trainer sets it.
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
        self._added = 0  # how many instances at the end were added
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
            collate_fn=list,  # type: ignore[arg-type]  # collated later: all processes must have as many batches first
        )
        self._rows: dict[int, int] = {}  # instance's id → its row in the columns; made for the first batch
        self._columns: dict[str, Column] = {}

    def index_with(self, vocab: Vocabulary) -> None:
        if self._vocab is not None and vocab is not self._vocab:
            for instance in self._instances or ():
                instance.indexed = False
        try:
            super().index_with(vocab)
        except KeyError as error:
            path: Any = self.data_path  # type: ignore[has-type]
            raise ConfigurationError(
                f"{path}: {error.args[0]}. Train with all its labels, or have it read by a reader of this package, with which"
                " entities of unknown types are scored as missed."
            ) from error
        self._rows = {}

    def add_to_each_pass(self, draw: Callable[[int], Sequence[Instance]]) -> None:
        """
        Adds the instances of `draw(n)` to the nth pass over the data from now, counted from 0; each draw must give as many.
        `iter_instances` leaves them out, so that words and labels are counted over the data alone.
        """
        self._draw, self._passes = draw, 0
        self._add(draw(0))  # now, for the loader's length

    def _add(self, instances: Sequence[Instance]) -> None:
        self._instances = [*self.iter_instances(), *map(self._index_instance, instances)]
        self._added = len(instances)
        self._rows = {}

    def iter_instances(self) -> Iterator[Instance]:
        num_read = None if self._instances is None else len(self._instances) - self._added
        return islice(super().iter_instances(), num_read)

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
            self._columns = columns_of(self._instances)
        rows = [self._rows[id(instance)] for instance in instances]
        batch: dict[str, Any] = dict.fromkeys(instances[0].fields)  # their order
        batch.update({name: batch_of(column, rows, self.cuda_device) for name, column in self._columns.items()})
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
    Splits batches until there are `number` of them, at least as many as now: always the last of the largest, in two
    halves.

    # Raises

    `ConfigurationError`: there are fewer instances than that.
    """
    batches = list(batches)
    while len(batches) < number:
        size, index = max(((len(batch), index) for index, batch in enumerate(batches)), default=(0, 0))
        if size < 2:
            raise ConfigurationError(
                f"in_memory: a process of this distributed run has {sum(map(len, batches))} sentences, too few for"
                f" {number} batches. Train in fewer processes, or in larger batches."
            )
        batch = batches[index]
        batches[index : index + 1] = [batch[: size // 2], batch[size // 2 :]]
    return batches
