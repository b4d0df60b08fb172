import hashlib
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import torch
import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived, dump_metrics
from allennlp.data import Vocabulary
from allennlp.training.callbacks import TrainerCallback
from allennlp.training.util import get_metrics

from roseq_allennlp.training.best_weights import BestWeights
from roseq_allennlp.training.metrics.of_model import metrics_of
from roseq_allennlp.training.trainer_access import TrainerAccess, check_state
from roseq_allennlp.training.wrapped_data_loader import WrappedDataLoader

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

_EXCEPTIONS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SigTermReceived}
_STATE = {"callbacks", "generators", "loss", "metrics", "scaler", "vocabulary"}


@TrainerCallback.register("exact_recovery")
class ExactRecoveryCallback(TrainerCallback):
    """
    Makes `--recover` end with the weights and metrics, bit for bit, of a run that was never stopped, and Ctrl-C leave a
    checkpoint. It adds to a checkpoint what AllenNLP's lacks: the state of the random generators of Python, NumPy and
    torch, what was summed up of an epoch that has begun, and the scale of AMP's loss.

    When each hook fires and what it changes:

    - `on_start` captures the state of the generators, or sets it to that of the first start, from which AllenNLP replays
      the data loader over what was trained; wraps the trainer's data loader, which sets the generators to their state in
      the checkpoint before the first new batch; reattaches the moving average, which AllenNLP's recovery detaches from the
      model; and has `best.th` kept by `BestWeights`.
    - With the first batch, outside distributed training, it takes over SIGINT and SIGTERM.
    - `on_batch`: after the first of these signals a checkpoint is saved at the end of the batch (if it is the epoch's
      last, after the next one), and the run ends as it does without the callback. A second signal ends it at once.
    - `on_epoch` completes the training metrics of an epoch that was taken up in its middle.
    - `on_end` restores the signal handlers. A run that was complete, or had run out of patience, and died before its archive
      was written, trains no further epoch and gets the metrics of its last one. Damaged best weights are written anew.

    Accumulation: batches are counted as the trainer draws them. Distributed training: the generators of all processes
    are kept with the checkpoint at an epoch's end; of one in the middle of an epoch only the weights are exact.
    Processes that do not recover from the same checkpoint are refused (`ConfigurationError`), and so are another
    vocabulary and a config whose callbacks are not those that the run was started with: AllenNLP restores the states of
    callbacks by position.
    Exactness holds on the CPU, and on a GPU as far as its kernels are deterministic, with the same versions and threads.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._saved: dict[str, Any] = {}  # this callback's state in the checkpoint
        self._to_restore: Optional[dict[str, Any]] = None
        self._gathered: Optional[list[dict[str, Any]]] = None  # generators of all processes at the end of an epoch
        self._loss = 0.0  # sum over the epoch's batches, as the trainer sums it
        self._untrained: dict[str, float] = {}  # metrics of an epoch of which nothing was left to train
        self._handlers: dict[int, Any] = {}
        self._stop: Optional[type[BaseException]] = None

    def state_dict(self) -> dict[str, Any]:
        access = self._access
        at_end_of_epoch = access.is_distributed and access.groups_completed == 0
        return {
            "callbacks": access.callback_names,
            "vocabulary": self._vocabulary,
            "generators": self._gathered if at_end_of_epoch else [self._generators()],
            "loss": self._loss,
            "metrics": {name: metric.state_dict() for name, metric in self._metrics().items()},
            "scaler": None if access.scaler is None else access.scaler.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Version 0.1 saved no callbacks and no vocabulary.
        check_state("exact_recovery", {"callbacks": None, "vocabulary": None, **state_dict}, _STATE)
        self._saved = state_dict

    def on_start(self, trainer: "GradientDescentTrainer", is_primary: bool = True, **kwargs: Any) -> None:
        self._access = access = TrainerAccess(trainer)
        self._model = trainer.model
        self._device = trainer.cuda_device
        self._start = _generators(self._device)
        self._best = BestWeights(access, self.serialization_dir, is_primary)
        self._vocabulary = _digest(trainer.model.vocab)
        if access.is_distributed:
            _check_same_start(access)
        if self._saved:
            self._recover(access)
        self._loader = trainer.data_loader
        trainer.data_loader = WrappedDataLoader(self._loader, self._batches)  # type: ignore[assignment]

    def _recover(self, access: TrainerAccess) -> None:
        started_with = self._saved.get("callbacks", access.callback_names)
        if started_with != access.callback_names:
            raise ConfigurationError(
                f"The run was started with the callbacks {', '.join(started_with)}; the config has"
                f" {', '.join(access.callback_names)}. Recover with the callbacks that the run was started with, in their"
                " order, or train anew."
            )
        if self._saved.get("vocabulary", self._vocabulary) != self._vocabulary:
            raise ConfigurationError(
                f"The vocabulary is not the one that the checkpoint in {self.serialization_dir} was trained with: the"
                " training data, or the files in its directory vocabulary, have changed since. Put them back, or train anew:"
                " with --force, or into another directory."
            )
        world_size = dist.get_world_size() if access.is_distributed else 1
        if len(self._saved["generators"] or ()) == world_size:
            self._to_restore = self._saved["generators"][dist.get_rank() if access.is_distributed else 0]
            self._start = self._to_restore["start"]
            _set_generators(self._start, self._device)
        self._loss = self._saved["loss"]
        metrics, saved = self._metrics(), self._saved["metrics"]
        if isinstance(saved, list):  # by position, as version 0.1 saved them
            saved = dict(zip(metrics, saved, strict=True))
        for name, state in saved.items():
            metrics[name].load_state_dict(state)
        if access.scaler is not None and self._saved["scaler"]:
            access.scaler.load_state_dict(self._saved["scaler"])
        access.reattach_moving_average()

        self._best.recover()
        if access.metric_tracker.should_stop_early():
            access.train_no_further()

    def _batches(self) -> Iterator[Any]:
        """The batches of one epoch, from the trainer's data loader; see `on_start`."""
        access = self._access
        self._take_over_signals()
        if self._is_complete():
            return
        self._best.release()
        epochs, groups = access.resumed_at
        resumed = access.epochs_completed == epochs
        skipped = groups * access.accumulation_steps
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
            self._untrained = get_metrics(self._model, 0.0, None, None, None, 1, reset=True)

    def _restore(self) -> None:
        if self._to_restore is not None:
            _set_generators(self._to_restore["now"], self._device)
            self._to_restore = None

    def on_batch(
        self,
        trainer: "GradientDescentTrainer",
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
        if self._stop is not None and not self._is_last():
            self._access.save_checkpoint()
            raise self._stop(f"after batch {batch_number} of epoch {epoch}")

    def on_epoch(
        self,
        trainer: "GradientDescentTrainer",
        metrics: dict[str, Any],
        epoch: int,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        epochs, groups = self._access.resumed_at
        in_middle = groups and epoch == epochs
        if in_middle and not self._access.is_distributed:
            metrics.update({f"training_{name}": value for name, value in self._untrained.items()})
            metrics["training_loss"] = self._loss / self._access.groups_completed
            dump_metrics(os.path.join(self.serialization_dir, f"metrics_epoch_{epoch}.json"), metrics)
        if self._access.is_distributed:
            self._gathered = [{} for _ in range(dist.get_world_size())]
            dist.all_gather_object(self._gathered, self._generators())

    def on_end(
        self,
        trainer: "GradientDescentTrainer",
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
            last = self._access.resumed_at[0] - 1
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
        return 0 < self._access.num_epochs <= self._access.resumed_at[0]

    def _metrics(self) -> dict[str, Any]:
        metrics = metrics_of(self._model)
        return {name: metric for name, metric in metrics.items() if hasattr(metric, "load_state_dict")}

    def _generators(self) -> dict[str, Any]:
        return {"start": self._start, "now": _generators(self._device)}

    def _take_over_signals(self) -> None:
        # Not in `on_start`: a run that another callback refuses there never reaches `on_end`.
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not (self._handlers or self._access.is_distributed) and in_main_thread:
            self._handlers = {number: signal.signal(number, self._on_signal) for number in _EXCEPTIONS}

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._stop is not None:
            raise _EXCEPTIONS[signal.Signals(number)]
        self._stop = _EXCEPTIONS[signal.Signals(number)]
        # Not by logging or print, which may be in the middle of a line.
        os.write(2, b"\nStopping after this batch, with a checkpoint. Again to stop at once, without.\n")

    def _is_last(self) -> bool:
        try:
            batches = len(self._loader)
        except TypeError:  # not known: data that is not held in memory
            return False
        return self._access.groups_completed * self._access.accumulation_steps >= batches


def _check_same_start(access: TrainerAccess) -> None:
    """Refuses different starts: each node has its own directory, and one may have died before it saved a checkpoint."""
    starts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(starts, access.resumed_at)
    if len(set(starts)) > 1:
        names = sorted("model_state_e{}_b{}".format(*start) for start in set(starts) if any(start))
        raise ConfigurationError(
            f"The nodes of this run do not start from the same checkpoint: one of them has not all of {names}. Give each"
            " node --recover, and remove the checkpoints that are newer than the last one that all have."
        )


def _digest(vocab: Vocabulary) -> str:
    """Digest of all words, characters and labels with their indices."""
    digest = hashlib.sha256()
    for namespace in sorted(vocab.get_namespaces()):
        entries = sorted(vocab.get_index_to_token_vocabulary(namespace).items())
        if len(entries) > 2:  # to look at a namespace creates it, with its two special entries
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
