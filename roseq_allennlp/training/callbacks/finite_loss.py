import math
from typing import TYPE_CHECKING, Any

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

_SENTENCES_SHOWN = 20
_WORDS_SHOWN = 30


@TrainerCallback.register("finite_loss")
class FiniteLossCallback(TrainerCallback):
    """
    Stops a run at the first loss that is NaN or infinite, with the epoch, the batch and its sentences; the last
    checkpoint stands.

    `on_start` hooks the trainer's model: every training loss is looked at as soon as it is computed, before its gradient
    reaches the weights, the adversarial one too. `on_end` takes the hook away. Under AMP with loss scaling an infinite
    loss passes, as the scaler leaves out its step. Accumulation and distributed training do not concern it: each process
    looks at its own batches.

    # Raises

    `ConfigurationError`.
    """

    def on_start(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        self._access = TrainerAccess(trainer)
        self._hook = self._access.pytorch_model.register_forward_hook(self._after_forward, with_kwargs=True)

    def on_end(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        self._hook.remove()

    def _after_forward(self, model: torch.nn.Module, args: Any, batch: dict[str, Any], output: dict[str, Any]) -> None:
        if not model.training or "loss" not in output:
            return
        loss = output["loss"].item()
        access = self._access
        if math.isfinite(loss) or access.scaler is not None and math.isinf(loss):
            return
        sentences = [
            " ".join(metadata["words"][:_WORDS_SHOWN]) for metadata in (batch.get("metadata") or [])[:_SENTENCES_SHOWN]
        ]
        last = None if access.checkpointer is None else access.checkpointer.find_latest_checkpoint()
        raise ConfigurationError(
            f"{loss} loss in epoch {access.epochs_completed}, batch {access.groups_completed + 1}. "
            + (f"The last checkpoint stands: {last[0]}. " if last else "There is no checkpoint yet. ")
            + "Lower the learning rate, or set `trainer.grad_norm`; or look at the batch's sentences: "
            + " | ".join(sentences)
        )
