import hashlib
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any, Optional

import numpy as np
import torch
import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived, dump_metrics
from allennlp.data import Vocabulary
from allennlp.training.callbacks import TrainerCallback
from allennlp.training.util import get_metrics

from roseq_allennlp.training.best_weights import BestWeights
from roseq_allennlp.training.callbacks.adversarial import find_metrics

_EXCEPTIONS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SigTermReceived}


@TrainerCallback.register("exact_recovery")
class ExactRecoveryCallback(TrainerCallback):
    """
    Makes `--recover` end with the weights and metrics, bit for bit, of a run that was never stopped, and Ctrl-C leave a
    checkpoint. It adds to a checkpoint what AllenNLP's lacks: the state of the random generators of Python, NumPy and
    torch, what was summed up of an epoch that has begun, and the scale of AMP's loss.

    When each hook fires and what it changes:

    - `on_start` captures the state of the generators, or sets it to that of the first start, from which AllenNLP replays
      the data loader over what was trained; wraps the trainer's data loader, which sets the generators to their state in
      the checkpoint before the first new batch; ties a moving average to the model again, to whose parameters AllenNLP's
      recovery loses it; has `best.th` kept by `BestWeights`; and, outside distributed training, takes over SIGINT and
      SIGTERM. A vocabulary other than the checkpoint's is refused (`ConfigurationError`).
    - `on_batch`: after the first of these signals a checkpoint is saved at the end of the batch (if it is the epoch's
      last, after the next one), and the run ends as it does without the callback. A second signal ends it at once.
    - `on_epoch` completes the training metrics of an epoch that was taken up in its middle.
    - `on_end` gives the signals back. A run that was complete, or had run out of patience, and died before its archive
      was written, trains no further epoch and gets the metrics of its last one. Damaged best weights are written anew.

    Accumulation: batches are counted as the trainer draws them. Distributed training: the generators of all processes
    are kept with the checkpoint at an epoch's end; of one in the middle of an epoch only the weights are exact.
    Processes that do not recover from the same checkpoint are refused (`ConfigurationError`).
    Exactness holds on the CPU, and on a GPU as far as its kernels are deterministic, with the same versions and threads.
    """

    trainer: Any  # set by `on_start`

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._saved: dict[str, Any] = {}  # of the checkpoint
        self._to_restore: Optional[dict[str, Any]] = None
        self._gathered: Optional[list[dict[str, Any]]] = None  # generators of all processes at the end of an epoch
        self._loss = 0.0  # of the epoch, as the trainer sums it
        self._untrained: dict[str, float] = {}  # metrics of an epoch of which nothing was left to train
        self._handlers: dict[int, Any] = {}
        self._stop: Optional[type[BaseException]] = None

    def state_dict(self) -> dict[str, Any]:
        trainer = self.trainer
        distributed = trainer._distributed and trainer._batches_in_epoch_completed == 0
        return {
            "vocabulary": self._vocabulary,
            "generators": self._gathered if distributed else [self._generators()],
            "loss": self._loss,
            "metrics": [metric.state_dict() for metric in self._metrics()],
            "scaler": None if trainer._scaler is None else trainer._scaler.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._saved = state_dict

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        self._device = trainer.cuda_device
        self._start = _generators(self._device)
        self._best = BestWeights(trainer, self.serialization_dir, is_primary)
        self._vocabulary = _digest(trainer.model.vocab)
        if trainer._distributed:
            _check_same_start(trainer)
        if self._saved:
            self._recover(trainer)
        self._loader = trainer.data_loader
        trainer.data_loader = _WrappedDataLoader(self)
        if not trainer._distributed and threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._on_signal) for number in _EXCEPTIONS}

    def _recover(self, trainer: Any) -> None:
        if self._saved.get("vocabulary", self._vocabulary) != self._vocabulary:  # earlier versions saved none
            raise ConfigurationError(
                f"The vocabulary is not the one that the checkpoint in {self.serialization_dir} was trained with: the"
                " training data, or the files in its directory vocabulary, have changed since. Put them back, or train anew:"
                " with --force, or into another directory."
            )
        world_size = dist.get_world_size() if trainer._distributed else 1
        if len(self._saved["generators"] or ()) == world_size:
            self._to_restore = self._saved["generators"][dist.get_rank() if trainer._distributed else 0]
            self._start = self._to_restore["start"]
            _set_generators(self._start, self._device)
        self._loss = self._saved["loss"]
        for metric, state in zip(self._metrics(), self._saved["metrics"]):
            metric.load_state_dict(state)
        if trainer._scaler is not None and self._saved["scaler"]:
            trainer._scaler.load_state_dict(self._saved["scaler"])
        if trainer._moving_average is not None:
            parameters = dict(trainer._pytorch_model.named_parameters())
            averaged = trainer._moving_average._parameters
            trainer._moving_average._parameters = [(name, parameters[name]) for name, _ in averaged]

        self._best.recover()
        if trainer._metric_tracker.should_stop_early():
            trainer._num_epochs = trainer._start_after_epochs_completed

    def batches(self) -> Iterator[Any]:
        """Of one epoch, from the trainer's data loader; see `on_start`."""
        trainer = self.trainer
        if self._is_complete():
            return
        self._best.release()
        resumed = trainer._epochs_completed == trainer._start_after_epochs_completed
        skipped = trainer._start_after_batches_in_epoch_completed * trainer._num_gradient_accumulation_steps
        iterator = iter(self._loader)
        for drawn in count():
            if resumed and drawn == skipped:
                self._restore()
            try:
                batch = next(iterator)
            except StopIteration:
                break
            yield batch
        if resumed and 0 < drawn <= skipped:  # saved after the last batch, before the end of the epoch
            self._restore()
            self._untrained = get_metrics(trainer.model, 0.0, None, None, None, 1, reset=True)

    def _restore(self) -> None:
        if self._to_restore is not None:
            _set_generators(self._to_restore["now"], self._device)
            self._to_restore = None

    def on_batch(
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: dict[str, Any],
        epoch: int,
        batch_number: int,
        is_training: bool,
        is_primary: bool = True,
        batch_grad_norm: Optional[float] = None,
        **kwargs: Any,
    ) -> None:
        if not is_training:
            return
        self._loss = batch_metrics["batch_loss"] + (0.0 if batch_number == 1 else self._loss)
        if self._stop is not None and not self._is_last(trainer):
            if trainer._checkpointer is not None:
                trainer._checkpointer.save_checkpoint(trainer)
            raise self._stop(f"after batch {batch_number} of epoch {epoch}")

    def on_epoch(
        self, trainer: Any, metrics: dict[str, Any], epoch: int, is_primary: bool = True, **kwargs: Any
    ) -> None:
        in_middle = trainer._start_after_batches_in_epoch_completed and epoch == trainer._start_after_epochs_completed
        if in_middle and not trainer._distributed:
            metrics.update({f"training_{name}": value for name, value in self._untrained.items()})
            metrics["training_loss"] = self._loss / trainer._batches_in_epoch_completed
            dump_metrics(os.path.join(self.serialization_dir, f"metrics_epoch_{epoch}.json"), metrics)
        if trainer._distributed:
            self._gathered = [{} for _ in range(dist.get_world_size())]
            dist.all_gather_object(self._gathered, self._generators())

    def on_end(
        self,
        trainer: Any,
        metrics: Optional[dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        if metrics is None:
            return
        self._best.finish()
        if self._is_complete():
            last = trainer._start_after_epochs_completed - 1
            path = os.path.join(self.serialization_dir, f"metrics_epoch_{last}.json")
            try:
                with open(path, encoding="utf-8") as file:
                    metrics.update(json.load(file))
            except (OSError, ValueError, TypeError) as error:
                raise ConfigurationError(
                    f"{path}, the metrics of a run that is complete, cannot be read: {error}. Put a copy of it back and give"
                    " --recover again, or train anew with --force."
                ) from error

    def _is_complete(self) -> bool:
        return 0 < self.trainer._num_epochs <= self.trainer._start_after_epochs_completed

    def _metrics(self) -> list[Any]:
        return [metric for metric in find_metrics(self.trainer.model) if hasattr(metric, "load_state_dict")]

    def _generators(self) -> dict[str, Any]:
        return {"start": self._start, "now": _generators(self._device)}

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._stop is not None:
            raise _EXCEPTIONS[signal.Signals(number)]
        self._stop = _EXCEPTIONS[signal.Signals(number)]
        # Not by logging or print, which may be in the middle of a line.
        os.write(2, b"\nStopping after this batch, with a checkpoint. Again to stop at once, without.\n")

    @staticmethod
    def _is_last(trainer: Any) -> bool:
        try:
            batches = len(trainer.data_loader)
        except TypeError:  # not known: data that is not held in memory
            return False
        return trainer._batches_in_epoch_completed * trainer._num_gradient_accumulation_steps >= batches


class _WrappedDataLoader:
    """The trainer's data loader, its batches given by the callback; all else is its own."""

    def __init__(self, callback: ExactRecoveryCallback) -> None:
        self._callback = callback

    def __iter__(self) -> Iterator[Any]:
        return self._callback.batches()

    def __len__(self) -> int:
        return len(self._callback._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._callback._loader, name)


def _check_same_start(trainer: Any) -> None:
    """Each node has a directory of its own, and one may have died before it saved what another did."""
    starts: list[Any] = [None] * dist.get_world_size()
    start = (trainer._start_after_epochs_completed, trainer._start_after_batches_in_epoch_completed)
    dist.all_gather_object(starts, start)
    if len(set(starts)) > 1:
        names = sorted("model_state_e{}_b{}".format(*each) for each in set(starts) if any(each))
        raise ConfigurationError(
            f"The nodes of this run do not start from the same checkpoint: one of them has not all of {names}. Give each"
            " node --recover, and remove the checkpoints that are newer than the last one that all have."
        )


def _digest(vocab: Vocabulary) -> str:
    """Of all words, characters and labels, with their indices."""
    digest = hashlib.sha256()
    for namespace in sorted(vocab.get_namespaces()):
        entries = sorted(vocab.get_index_to_token_vocabulary(namespace).items())
        if len(entries) > 2:  # a namespace comes into being, with its two special entries, by being looked at
            digest.update(repr((namespace, entries)).encode())
    return digest.hexdigest()


def _generators(device: torch.device) -> dict[str, Any]:
    """The state of the random generators, in types that `torch.load` takes without executing anything."""
    name, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def _set_generators(state: dict[str, Any], device: torch.device) -> None:
    random.setstate(state["python"])
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
