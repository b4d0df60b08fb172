"""`best.th`: written whole, read only as it was written, restored where it can be, and never lost to worse weights."""

import contextlib
import json
import logging
import os
import zipfile
from typing import Optional

import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import hardlink_or_copy

from roseq_allennlp.files import check_saved, load, save
from roseq_allennlp.training.trainer_access import TrainerAccess

logger = logging.getLogger(__name__)

NAME = "best.th"
KEPT = "best_before_recovery.th"
_PREFIX = "best_validation_"


class BestWeights:
    """
    The weights of a trainer's best epoch. Nothing is done for sharded models, whose best weights AllenNLP keeps in parts.

    # Parameters

    access : `TrainerAccess`
        Gives the trainer its ways to save and load weights, and its metric tracker and checkpointer to this.
    directory : `str`
        The run's directory.
    is_primary : `bool`
        Whether this process writes.
    """

    def __init__(self, access: TrainerAccess, directory: str, is_primary: bool) -> None:
        self._access = access
        self._path = os.path.join(directory, NAME)
        self._kept = os.path.join(directory, KEPT)
        self._directory = directory
        self._known: Optional[float] = None  # the score of the weights that are kept
        self._writes = is_primary and not access.is_sharded
        access.save_weights_by(lambda path: save(access.model.state_dict(), path))
        if not access.is_sharded:
            access.load_weights_by(self._load)

    def recover(self) -> None:
        """
        After a checkpoint is loaded. `best.th` is written anew where the checkpoint is the best and the run may have died
        before that, and where it has been damaged. If later epochs, whose checkpoints are lost, were better, it is kept
        under another name until they have been trained again.

        # Raises

        `ConfigurationError`: it has been damaged, and nothing is left that it could be made from.
        """
        access = self._access
        epochs, groups = access.resumed_at
        if not epochs or access.is_sharded:
            return
        access.best_weights_file = self._path
        if not self._writes:
            return
        at_end_of_best = access.metric_tracker.is_best_so_far() and not groups
        damage = self._damage()
        # A later epoch has ended only after the best weights up to here were written.
        if at_end_of_best and (damage or not os.path.exists(self._metrics(epochs))):
            self._warn(damage)
            access.save_best_weights()
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
        best = self._access.best_score
        if self._writes and best is not None and self._known is not None and best >= self._known:
            with contextlib.suppress(OSError):
                os.unlink(self._kept)

    def finish(self) -> None:
        """At the end of a run, when the best weights are in memory."""
        if not self._writes or self._access.best_weights_file is None:
            return
        self.release()
        if damage := self._damage():
            self._warn(damage)
            save(self._access.model.state_dict(), self._path)
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
        if self._access.is_distributed:
            dist.barrier()
        try:
            self._access.model.load_state_dict(load(path))
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
        tracker, checkpointer = self._access.metric_tracker, self._access.checkpointer
        best = tracker.best_epoch if not tracker.is_best_so_far() else self._access.resumed_at[0] - 1
        assert best is not None  # an epoch has ended
        try:
            if checkpointer is None:
                raise ValueError("there are no checkpoints")
            state = load(checkpointer._model_state_path(best + 1, 0))
            if self._access.has_moving_average:
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

    def _metrics(self, epoch: int) -> str:
        return os.path.join(self._directory, f"metrics_epoch_{epoch}.json")

    def _best_after(self, epochs: int) -> Optional[float]:
        """The score of the best epoch if it came after the first `epochs`, from the metrics that the run left; else `None`."""
        best = None
        while os.path.exists(self._metrics(epochs)):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ConfigurationError):
                with open(self._metrics(epochs), encoding="utf-8") as file:
                    metrics = json.load(file)
                if metrics["best_epoch"] == epochs:
                    scores = {key.removeprefix(_PREFIX): value for key, value in metrics.items()}
                    best = self._access.metric_tracker.combined_score(scores)
            epochs += 1
        return best
