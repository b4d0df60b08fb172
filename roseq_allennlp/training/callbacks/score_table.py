from typing import TYPE_CHECKING, Any, Optional

from allennlp.common import logging as common_logging
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.console import Console
from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

_PREFIX = "best_validation_"


@TrainerCallback.register("score_table")
class ScoreTableCallback(TrainerCallback):
    """
    Prints one table when training is done: development precision, recall and F1 of the best epoch, by type and overall. Where
    not one entity was found it says so, and what to do.

    Fires in `on_end`, in the primary process only, and changes nothing. A run that breaks off, or has no development
    data, prints none.
    """

    def on_end(
        self,
        trainer: "GradientDescentTrainer",
        metrics: Optional[dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        name = f"{_PREFIX}f1-measure-"
        if not is_primary or not metrics or f"{name}overall" not in metrics:
            return
        labels = [key.removeprefix(name) for key in metrics if key.startswith(name)]
        rows = [
            [label, *(100 * metrics[f"{_PREFIX}{score}-{label}"] for score in ("precision", "recall", "f1-measure"))]
            for label in sorted(labels, key=lambda label: (label == "overall", label))
        ]
        title = f"Development scores of epoch {metrics['best_epoch']}, the best"
        console = Console(quiet=common_logging.FILE_FRIENDLY_LOGGING)
        console.table(["type", "precision", "recall", "F1"], rows, title)
        if not metrics[f"{name}overall"]:
            console.print(
                f"Not one development entity was found after {TrainerAccess(trainer).steps_completed} steps. A corpus this small"
                " needs more of them: a smaller data_loader.batch_size, a larger trainer.num_epochs and trainer.patience,"
                " or vectors made from other text (vectors.fixed)."
            )
