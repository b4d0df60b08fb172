"""
What callbacks need of AllenNLP's trainer beyond its public attributes. Its private state is touched here and nowhere else,
so that a change of AllenNLP breaks one file.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

import torch
from allennlp.common.checks import ConfigurationError

if TYPE_CHECKING:
    from allennlp.training import Checkpointer, GradientDescentTrainer
    from allennlp.training.callbacks import TrainerCallback
    from allennlp.training.metric_tracker import MetricTracker


class TrainerAccess:
    """
    A view of one trainer; it holds no state of its own.

    # Parameters

    trainer : `GradientDescentTrainer`
    """

    def __init__(self, trainer: "GradientDescentTrainer") -> None:
        self._trainer = trainer

    @property
    def pytorch_model(self) -> torch.nn.Module:
        """The model as the trainer calls it, in DDP's wrapper where there is one: hooks on it see each training batch."""
        return self._trainer._pytorch_model

    @property
    def plain_model(self) -> Any:
        """The config's own, without a wrapper."""
        return self._trainer.model

    @property
    def data_loader(self) -> Any:
        return self._trainer.data_loader

    @property
    def devices(self) -> str:
        """In words."""
        device, number = self._trainer.cuda_device, self._trainer._world_size
        if self.is_distributed:
            return f"{number} × {'CPU' if device.type == 'cpu' else 'GPU'}"
        return "CPU" if device.type == "cpu" else f"GPU {device.index or 0}"

    @property
    def validation_data_loader(self) -> Optional[Any]:
        return self._trainer._validation_data_loader

    @property
    def is_distributed(self) -> bool:
        """A callback learns only from the trainer that its losses and metrics will be reduced."""
        return self._trainer._distributed

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds a part of the weights, so that no process can write all of them."""
        wrapped = self._trainer._ddp_wrapped_model
        return wrapped is not None and wrapped.is_sharded

    @property
    def model(self) -> Any:
        """Has `state_dict` and `load_state_dict` with the model's own names, also where DDP's wrapper adds a prefix."""
        return self._trainer._ddp_wrapped_model or self._trainer.model  # type: ignore[attr-defined]

    @property
    def uses_amp(self) -> bool:
        """A second forward pass runs under autocast if the first one did."""
        return self._trainer._use_amp

    @property
    def scaler(self) -> Optional[Any]:
        """AMP's `GradScaler`: who calls `backward` must scale the loss, and a checkpoint of AllenNLP's lacks its scale."""
        return self._trainer._scaler

    @property
    def accumulation_steps(self) -> int:
        """Batches in a full group of gradient accumulation; the trainer hands out a loss that is not divided by it."""
        return self._trainer._num_gradient_accumulation_steps

    @property
    def groups_completed(self) -> int:
        """Groups of batches of this epoch that have been trained on; without accumulation, batches."""
        return self._trainer._batches_in_epoch_completed

    @property
    def epochs_completed(self) -> int:
        return self._trainer._epochs_completed

    @property
    def steps_completed(self) -> int:
        """Optimizer steps of the whole run."""
        return self._trainer._total_batches_completed

    @property
    def resumed_at(self) -> tuple[int, int]:
        """Epochs, and groups of batches of the next epoch, that the checkpoint of `--recover` had completed; else zeros."""
        trainer = self._trainer
        return trainer._start_after_epochs_completed, trainer._start_after_batches_in_epoch_completed

    @property
    def num_epochs(self) -> int:
        return self._trainer._num_epochs

    def train_no_further(self) -> None:
        """Ends a recovered run at once: it had run out of patience before it was stopped."""
        self._trainer._num_epochs = self._trainer._start_after_epochs_completed

    @property
    def metric_tracker(self) -> "MetricTracker":
        """Knows the best epoch, and how long ago it was."""
        return self._trainer._metric_tracker

    def forget_epochs_without_improvement(self) -> None:
        """Has patience count from now."""
        self._trainer._metric_tracker._epochs_with_no_improvement = 0

    @property
    def validation_metric(self) -> str:
        """The name of the first metric by which the best epoch is chosen."""
        name: str = self._trainer._metric_tracker.tracked_metrics[0][1]
        return name

    @property
    def best_score(self) -> Optional[float]:
        """The validation metric of the best epoch, `None` before the first one."""
        return self._trainer._metric_tracker._best_so_far

    @property
    def checkpointer(self) -> Optional["Checkpointer"]:
        return self._trainer._checkpointer

    def save_checkpoint(self) -> None:
        if self._trainer._checkpointer is not None:
            self._trainer._checkpointer.save_checkpoint(self._trainer)

    def save_weights_by(self, save: Callable[[str], None]) -> None:
        """Has the trainer write `best.th` by `save(path)`."""
        self._trainer._save_model_state = save  # type: ignore[method-assign, assignment]

    def load_weights_by(self, load: Callable[[str], None]) -> None:
        """Has the trainer read `best.th`, at the end of a run, by `load(path)`."""
        self._trainer._load_model_state = load  # type: ignore[method-assign, assignment]

    def save_best_weights(self) -> None:
        """Writes the present weights, averaged where a moving average is kept, as the best ones."""
        average = self._trainer._moving_average
        if average is not None:
            average.assign_average_value()
        assert self._trainer._best_model_filename is not None
        self._trainer._save_model_state(self._trainer._best_model_filename)
        if average is not None:
            average.restore()

    @property
    def best_weights_file(self) -> Optional[str]:
        """Path of `best.th`, `None` before the first epoch has ended. A checkpoint has the path of its time."""
        return self._trainer._best_model_filename

    @best_weights_file.setter
    def best_weights_file(self, path: str) -> None:
        self._trainer._best_model_filename = path

    @property
    def has_moving_average(self) -> bool:
        """Whether `best.th` holds averaged weights, which the optimizer's own ones are not."""
        return self._trainer._moving_average is not None

    def reattach_moving_average(self) -> None:
        """Recovery replaces the list of parameters that the moving average keeps by copies from the checkpoint."""
        average: Any = self._trainer._moving_average
        if average is not None:
            parameters = dict(self._trainer._pytorch_model.named_parameters())
            average._parameters = [(name, parameters[name]) for name, _ in average._parameters]

    @property
    def callbacks(self) -> "list[TrainerCallback]":
        """The trainer's, without observers, in order: AllenNLP restores their states by position."""
        return [callback for callback in self._trainer._callbacks if not getattr(callback, "is_observer", False)]

    @property
    def callback_names(self) -> list[str]:
        """Class names of `callbacks`."""
        return [type(callback).__name__ for callback in self.callbacks]

    def observe(self, observer: "TrainerCallback") -> None:
        """Has a callback called after the others that no checkpoint knows of: a run has the same with and without it."""
        trainer, state = self._trainer, self._trainer.get_checkpoint_state

        def without_observers() -> Any:
            everyone, trainer._callbacks = trainer._callbacks, self.callbacks
            try:
                return state()
            finally:
                trainer._callbacks = everyone

        observer.is_observer = True  # type: ignore[attr-defined]
        trainer._callbacks = [*trainer._callbacks, observer]
        trainer.get_checkpoint_state = without_observers  # type: ignore[method-assign]


def check_state(callback: str, state: dict[str, Any], keys: set[str]) -> None:
    """
    # Raises

    `ConfigurationError` if `state`, which a checkpoint holds at the position of this callback, has other keys than its own.
    """
    if state.keys() != keys:
        raise ConfigurationError(
            f"{callback}: the checkpoint holds the state of another callback at its position (keys {sorted(state)}, expected"
            f" {sorted(keys)}). Recover with the callbacks that the run was started with, in their order, or train anew."
        )
