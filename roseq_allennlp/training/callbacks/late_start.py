from typing import Any

from allennlp.training.callbacks import TrainerCallback


@TrainerCallback.register("late_start")
class LateStartCallback(TrainerCallback):
    """
    `patience` counts from the first epoch whose development score is above 0. A tagger that starts slowly, on little data
    or with adversarial training, finds no entity for many epochs: without this it is stopped before it has begun.

    Fires in `on_epoch`, after the trainer has counted the epoch and before it asks whether to stop, in all processes alike;
    the count is in every checkpoint. Nothing else changes, and nothing at all in a run whose score leaves 0 in time.
    """

    def on_epoch(
        self, trainer: Any, metrics: dict[str, Any], epoch: int, is_primary: bool = True, **kwargs: Any
    ) -> None:
        tracker = trainer._metric_tracker
        if tracker._best_so_far == 0:
            tracker._epochs_with_no_improvement = 0
