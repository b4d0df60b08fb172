import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler


@LearningRateScheduler.register("inverse_time_decay")
class InverseTimeDecay(LearningRateScheduler):
    """
    β_t = max(β_0 / (1 + ρ t), β_min) for epoch t, counted from 0 (section IV-B of the paper).

    # Parameters

    optimizer : `torch.optim.Optimizer`
        Supplied by the trainer; β_0 is each parameter group's own learning rate.
    decay_rate : `float`, optional (default = `0.05`)
        ρ, per epoch, at least 0.
    min_lr : `float`, optional (default = `1e-4`)
        β_min, at least 0.

    # Raises

    `ConfigurationError` for a negative rate or floor.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, decay_rate: float = 0.05, min_lr: float = 1e-4, last_epoch: int = -1
    ) -> None:
        if decay_rate < 0 or min_lr < 0:
            raise ConfigurationError(
                f"inverse_time_decay needs decay_rate >= 0 and min_lr >= 0; got {decay_rate} and {min_lr}."
            )
        super().__init__(optimizer, last_epoch)
        self.decay_rate = decay_rate
        self.min_lr = min_lr

    def get_values(self) -> list[float]:
        # The trainer steps after each epoch, from last_epoch = -1: epoch 0 ran with β_0, the next one is t = 1.
        epoch = self.last_epoch + 1
        return [max(base / (1.0 + self.decay_rate * epoch), self.min_lr) for base in self.base_values]
