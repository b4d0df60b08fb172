from typing import TYPE_CHECKING, Any, Optional

from allennlp.common import logging as common_logging
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.console import Console
from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

_BEST = "best_validation_"
_F1 = "f1-measure-"


@TrainerCallback.register("score_table")
class ScoreTableCallback(TrainerCallback):
    """
    Prints one table when training is done: development precision, recall and F1 of the best epoch, by type and overall. Where
    not one entity was found it says so, and what to do.

    Fires in `on_end`, in the primary process only, and changes nothing. A run that breaks off, or has no development
    data, prints none. `roseq train` prints it for any config.
    """

    def on_end(
        self,
        trainer: "GradientDescentTrainer",
        metrics: Optional[dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        if is_primary and metrics:
            show_best(metrics, TrainerAccess(trainer), Console(plain=common_logging.FILE_FRIENDLY_LOGGING))


def show_best(metrics: dict[str, Any], access: TrainerAccess, console: Console) -> None:
    """The table of the best epoch, from the metrics of a run; none without development data."""
    show_scores(metrics, f"Development scores of epoch {metrics.get('best_epoch')}, the best", console, _BEST)
    if metrics.get(f"{_BEST}{_F1}overall") == 0:
        console.print(
            f"Not one development entity was found after {access.steps_completed} steps. A corpus this small"
            " needs more of them: a smaller data_loader.batch_size, a larger trainer.num_epochs and trainer.patience,"
            " or vectors made from other text (vectors.fixed)."
        )


def show_scores(metrics: dict[str, Any], title: str, console: Console, prefix: str = "") -> None:
    """
    A table of precision, recall and F1 in percent, by type and overall, from metrics whose names begin with `prefix`; of the
    metrics themselves, where there is no F1 of entities; none where there are no metrics.
    """
    own = {name.removeprefix(prefix): value for name, value in metrics.items() if name.startswith(prefix)}
    labels = [name.removeprefix(_F1) for name in own if name.startswith(_F1)]
    if "overall" in labels:
        rows = [
            [label, *(100 * own[f"{score}-{label}"] for score in ("precision", "recall", "f1-measure"))]
            for label in sorted(labels, key=lambda label: (label == "overall", label))
        ]
        console.table(["type", "precision", "recall", "F1"], rows, title)
    elif rows := [
        [name, f"{value:.4f}"] for name, value in own.items() if isinstance(value, float) and not name.startswith("_")
    ]:
        console.table(["metric", "value"], rows, title)
