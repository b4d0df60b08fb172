from typing import TYPE_CHECKING, Any

from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer


@TrainerCallback.register("late_start")
class LateStartCallback(TrainerCallback):
    """
    `patience` counts from the first epoch whose development score is above 0. A tagger that starts slowly, on little data
    or with adversarial training, finds no entity for many epochs: without this it is stopped before it has begun.

    Fires in `on_epoch`, after the trainer has counted the epoch and before it asks whether to stop, in all processes alike;
    the count is in every checkpoint. Nothing else changes. A run whose score rises above 0 in time is unaffected.
    """

    def on_epoch(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        access = TrainerAccess(trainer)
        if access.best_score == 0:
            access.forget_epochs_without_improvement()
