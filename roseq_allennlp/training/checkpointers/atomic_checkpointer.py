import logging
import os
from typing import TYPE_CHECKING, Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.trainer import TrainerCheckpoint

from roseq_allennlp.files import load, remove_leftovers, save

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

logger = logging.getLogger(__name__)


@Checkpointer.register("atomic")
class AtomicCheckpointer(Checkpointer):
    """
    AllenNLP's checkpointer, whose checkpoints survive what happens while one is written: each file is written under a
    temporary name and renamed, the model's last, and older checkpoints are removed only after that. `--recover` takes
    the newest checkpoint that is as it was written, with a warning for each that is not, and removes what a killed
    process left half written.

    Weights that are not numbers are never written: the last good checkpoint stands. Accumulation, AMP, moving averages
    and distributed training are as with AllenNLP's own.

    # Parameters

    Those of AllenNLP's `Checkpointer`.

    # Raises

    `ConfigurationError`: a checkpoint cannot be written (a full disk, a directory without permission), the weights are
    NaN, or there are checkpoints and none can be read.
    """

    def save_checkpoint(self, trainer: "GradientDescentTrainer") -> None:  # type: ignore[override]
        state = trainer.get_checkpoint_state()
        if state is not None:
            at = (state.trainer_state["epochs_completed"], state.trainer_state["batches_in_epoch_completed"])
            wrong = [name for name, value in state.model_state.items() if torch.isnan(value).any()]
            if wrong:
                raise ConfigurationError(
                    f"After {at[0]} epochs and {at[1]} batches of the next, weights are NaN ({', '.join(wrong[:3])}), and no"
                    f" checkpoint of them is written. {self._what_stands()} Lower the learning rate, or set"
                    " `trainer.grad_norm`, and train anew."
                )
            self._write(state.trainer_state, self._training_state_path(*at))
            self._write(state.model_state, self._model_state_path(*at))
        super().save_checkpoint(trainer)  # finds both written: keeps count, and removes older ones

    def _write(self, state: dict[str, Any], path: str) -> None:
        try:
            save(state, path)
        except OSError as error:
            stands = f"{self._what_stands()} Go on with --recover."
            if not os.path.isdir(self._serialization_dir):
                stands = "Train anew."
            raise ConfigurationError(f"{error} {stands}") from error

    def _what_stands(self) -> str:
        latest = self.find_latest_checkpoint()
        return f"The last good checkpoint is {latest[0]}." if latest else "There is no earlier checkpoint."

    def _find_all_checkpoints(self) -> set[tuple[int, int]]:
        """As AllenNLP's, which takes the brackets in `runs/[1]` for a pattern and finds none there."""
        suffix = f"_w{self._rank}.th" if self.state_is_sharded else ".th"
        names = os.listdir(self._serialization_dir) if os.path.isdir(self._serialization_dir) else []
        parsed = {self._parse_model_state_path(name) for name in names if name.endswith(suffix)}
        return {checkpoint for checkpoint in parsed if checkpoint is not None}

    def _remove_checkpoint(self, epochs_completed: int, batches_in_epoch_completed: int) -> None:
        checkpoint = (epochs_completed, batches_in_epoch_completed)
        for name in os.listdir(self._serialization_dir):
            if checkpoint in (self._parse_model_state_path(name), self._parse_training_state_path(name)):
                os.remove(os.path.join(self._serialization_dir, name))

    def load_checkpoint(self) -> Optional[TrainerCheckpoint]:
        if self._is_primary:
            remove_leftovers(self._serialization_dir)
        checkpoints = sorted(self._find_all_checkpoints(), reverse=True)
        damaged: list[str] = []
        for checkpoint in checkpoints:
            paths = self._model_state_path(*checkpoint), self._training_state_path(*checkpoint)
            state = []
            for path in paths:
                try:
                    state.append(load(path))
                except ValueError as error:
                    reason = f"{os.path.basename(path)}: {error}"
            if len(state) == len(paths):
                for sentence in damaged:
                    logger.warning("The checkpoint %s. %s is taken in its place.", sentence, paths[0])
                return TrainerCheckpoint(*state)
            damaged.append(f"{paths[0]} cannot be read and is passed over: {reason}")
        if checkpoints:
            raise ConfigurationError(
                f"None of the checkpoints in {os.path.abspath(self._serialization_dir)} can be read (the newest: {reason})."
                " Train anew: with --force, or into another directory."
            )
        return None
