import time
from typing import TYPE_CHECKING, Any, Optional

from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.console import Console
from roseq_allennlp.training.callbacks.score_table import ScoreTableCallback, show_best
from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

_F1 = "f1-measure-overall"


class EpochLines(TrainerCallback):
    """
    What `roseq train` shows of a run, with any config: a line for each epoch, a bar meanwhile, and the scores of the best
    epoch. It is not a callback of the config but an observer (`TrainerAccess.observe`), in the primary process only; it
    changes nothing and is in no checkpoint. Epochs have the numbers of their files, from 0.

    - `on_start` says from where a recovered run goes on.
    - `on_batch` writes the loss into the bar.
    - `on_epoch` writes the line.
    - `on_end` says why the run ended early, and shows the scores where the config has no `score_table`.
    """

    def __init__(self, serialization_dir: str, console: Console) -> None:
        super().__init__(serialization_dir)
        self._console = console

    def on_start(self, trainer: "GradientDescentTrainer", is_primary: bool = True, **kwargs: Any) -> None:
        self._access = TrainerAccess(trainer)
        self._started = time.monotonic()
        self._epoch: Optional[int] = None
        epochs, batches = self._access.resumed_at
        if is_primary and (epochs or batches):
            rest = f" and {batches} batches of the next" if batches else ""
            self._console.report(f"Going on from the checkpoint: {epochs} epochs{rest} are done.")

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
        state = f"loss {batch_metrics['loss']:8.3f}" if is_training else "development"
        self._console.describe_bar(f"epoch {self._number(epoch)}  {state:<13}")

    def on_epoch(
        self,
        trainer: "GradientDescentTrainer",
        metrics: dict[str, Any],
        epoch: int,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        seconds, self._started = time.monotonic() - self._started, time.monotonic()
        self._epoch = epoch
        if is_primary:
            is_best = metrics.get("best_epoch") == epoch
            self._console.report(self._line(metrics, epoch, seconds), "green" if is_best else "")

    def on_end(
        self,
        trainer: "GradientDescentTrainer",
        metrics: Optional[dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        if not is_primary or metrics is None:
            return
        if self._epoch is not None and self._epoch < self._access.num_epochs - 1:
            self._console.report(f"Stopped early: no better since epoch {metrics['best_epoch']} (trainer.patience).")
        if not any(isinstance(callback, ScoreTableCallback) for callback in self._access.callbacks):
            show_best(metrics, self._access, self._console)

    def _number(self, epoch: int) -> str:
        last = str(self._access.num_epochs - 1)
        return f"{epoch:>{len(last)}}/{last}"

    def _line(self, metrics: dict[str, Any], epoch: int, seconds: float) -> str:
        number, loss = self._number(epoch), metrics.get("training_loss")
        name, factor = (_F1, 100.0) if f"validation_{_F1}" in metrics else (self._access.validation_metric, 1.0)
        score, best = metrics.get(f"validation_{name}"), metrics.get(f"best_validation_{name}")
        parts = [f"epoch {number}", f"loss {_figure(loss, 3):>8}"]
        short = [number, f"loss {_figure(loss, 2)}"]
        if score is not None:
            label, digits = ("F1", 2) if name == _F1 else (name, 4)
            at = f" (epoch {metrics.get('best_epoch')})"
            parts += [f"dev {label} {_figure(score, digits, factor):>6}", f"{seconds:6.1f} s"]
            parts += [f"best {_figure(best, digits, factor):>6}{at}"]
            short += [
                f"{label} {_figure(score, digits, factor)}",
                f"{seconds:.0f}s",
                f"best {_figure(best, digits, factor)}",
            ]
        else:
            parts += [f"{seconds:6.1f} s"]
            short += [f"{seconds:.0f}s"]
        line = "  ".join(parts)
        width = self._console.width
        return line if width is None or len(line) <= width else " ".join(short)


def _figure(value: Optional[float], digits: int, factor: float = 1.0) -> str:
    return "-" if value is None else f"{factor * value:.{digits}f}"
