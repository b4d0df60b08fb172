"""`best.th`: written whole, read only as it was written, restored where it can be, and never lost to worse weights."""

import contextlib
import json
import logging
import os
import zipfile
from typing import Any, Optional

import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import hardlink_or_copy

from roseq_allennlp.files import check_saved, load, save

logger = logging.getLogger(__name__)

NAME = "best.th"
KEPT = "best_before_recovery.th"
_PREFIX = "best_validation_"


class BestWeights:
    """
    The weights of a trainer's best epoch. Nothing is done for sharded models, whose best weights AllenNLP keeps in parts.

    # Parameters

    trainer : `GradientDescentTrainer`
        Its ways to save and load weights are replaced; its metric tracker and checkpointer are read.
    directory : `str`
        Of the run.
    is_primary : `bool`
        Whether this process writes.
    """

    def __init__(self, trainer: Any, directory: str, is_primary: bool) -> None:
        self._trainer = trainer
        self._path = os.path.join(directory, NAME)
        self._kept = os.path.join(directory, KEPT)
        self._directory = directory
        self._known: Optional[float] = None  # the score of the weights that are kept
        wrapped = trainer._ddp_wrapped_model
        self._model = wrapped or trainer.model
        self._is_sharded = wrapped is not None and wrapped.is_sharded
        self._writes = is_primary and not self._is_sharded
        trainer._save_model_state = lambda path: save(self._model.state_dict(), path)
        if not self._is_sharded:
            trainer._load_model_state = self._load

    def recover(self) -> None:
        """
        After a checkpoint is loaded. `best.th` is written anew where the checkpoint is the best and the run may have died
        before that, and where it has been damaged. If later epochs, whose checkpoints are lost, were better, it is kept
        under another name until they have been trained again.

        # Raises

        `ConfigurationError`: it has been damaged, and nothing is left that it could be made from.
        """
        trainer = self._trainer
        epochs = trainer._start_after_epochs_completed
        if not epochs or self._is_sharded:
            return
        trainer._best_model_filename = self._path
        if not self._writes:
            return
        at_end_of_best = (
            trainer._metric_tracker.is_best_so_far() and not trainer._start_after_batches_in_epoch_completed
        )
        damage = self._damage()
        # A later epoch has ended only after the best weights up to here were written.
        if at_end_of_best and (damage or not os.path.exists(self._metrics(epochs))):
            self._warn(damage)
            self._save_average()
            damage = None
        self._known = self._best_after(epochs)
        if damage:
            self._restore(damage)
        elif self._known is not None and not os.path.exists(self._kept):
            hardlink_or_copy(self._path, self._kept)
            logger.warning(
                "%s are weights of a later epoch than the checkpoint: they stay as %s until that epoch is trained again.",
                *(self._path, KEPT),
            )

    def release(self) -> None:
        """At the end of an epoch: what was kept is removed once the run is as good again."""
        best = self._trainer._metric_tracker._best_so_far
        if self._writes and None not in (self._known, best) and best >= self._known:
            with contextlib.suppress(OSError):
                os.unlink(self._kept)

    def finish(self) -> None:
        """At the end of a run, when the best weights are in memory."""
        if not self._writes or self._trainer._best_model_filename is None:
            return
        self.release()
        if damage := self._damage():
            self._warn(damage)
            self._trainer._save_model_state(self._path)
        if os.path.exists(self._kept):
            logger.warning(
                "%s are weights from before the run was recovered, and their epoch did not become as good again. Compare"
                " them with those of the archive: roseq evaluate --weights-file, and remove them.",
                self._kept,
            )

    def _load(self, path: str) -> None:
        """In place of the trainer's, at the end of a run whose last epoch was not the best."""
        if self._writes and (damage := self._damage()):
            self._restore(damage)
        if self._trainer._distributed:
            dist.barrier()
        try:
            self._model.load_state_dict(load(path))
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from error

    def _damage(self) -> Optional[str]:
        try:
            check_saved(self._path)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            return str(error)
        return None

    def _restore(self, damage: str) -> None:
        """From the checkpoint of the best epoch, or by training later epochs again."""
        tracker, checkpointer = self._trainer._metric_tracker, self._trainer._checkpointer
        best = tracker.best_epoch if not tracker.is_best_so_far() else self._trainer._start_after_epochs_completed - 1
        try:
            if checkpointer is None:
                raise ValueError("there are no checkpoints")
            state = load(checkpointer._model_state_path(best + 1, 0))
            if self._trainer._moving_average is not None:
                averages = load(checkpointer._training_state_path(best + 1, 0))["moving_average"]["shadows"]
                state |= {name.removeprefix("module."): average for name, average in averages.items()}
        except ValueError as error:
            if self._known is not None:
                logger.warning(
                    "%s is damaged (%s), and is written anew by training its epoch again.", self._path, damage
                )
                return
            raise ConfigurationError(
                f"{self._path}, the weights of epoch {best}, cannot be read ({damage}), and there is no good checkpoint of"
                " that epoch to make it from. Put a copy of it in its place and go on with --recover, or train anew: with"
                " --force, or into another directory."
            ) from error
        self._warn(damage)
        save(state, self._path)

    def _warn(self, damage: Optional[str]) -> None:
        if damage and os.path.exists(self._path):
            logger.warning("%s is damaged (%s), and is written anew.", self._path, damage)

    def _save_average(self) -> None:
        average = self._trainer._moving_average
        if average is not None:
            average.assign_average_value()
        self._trainer._save_model_state(self._path)
        if average is not None:
            average.restore()

    def _metrics(self, epoch: int) -> str:
        return os.path.join(self._directory, f"metrics_epoch_{epoch}.json")

    def _best_after(self, epochs: int) -> Optional[float]:
        """The score of the best epoch where that is none of the first `epochs`, as the run knew it before it ended."""
        best = None
        while os.path.exists(self._metrics(epochs)):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ConfigurationError):
                with open(self._metrics(epochs), encoding="utf-8") as file:
                    metrics = json.load(file)
                if metrics["best_epoch"] == epochs:
                    scores = {key.removeprefix(_PREFIX): value for key, value in metrics.items()}
                    best = self._trainer._metric_tracker.combined_score(scores)
            epochs += 1
        return best
