from typing import Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler


@LearningRateScheduler.register("linear_warmup")
class LinearWarmup(LearningRateScheduler):
    """
    For step s of S, counted from 1: β_s = β_0 min(s / W, (S + 1 − s) / (S − W), 1), so the learning rate of each parameter
    group rises to its own β_0 in the first W steps, and falls to 0 towards the end of the last epoch.

    AllenNLP's `linear_with_warmup` takes W as a number of steps, and S from the length of the training data, which the
    callback `augmentation` doubles.

    # Parameters

    optimizer : `torch.optim.Optimizer`
        Supplied by the trainer, as the next two.
    num_epochs : `int`
    num_steps_per_epoch : `int`, optional
        Known where the length of the data is.
    warmup : `float`, optional (default = `0.1`)
        W / S, from 0 to below 1.
    passes : `int`, optional (default = `1`)
        How many times the length of the data an epoch has: 2 with `augmentation`.

    # Raises

    `ConfigurationError` for numbers out of range, and for data without a known length.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        num_epochs: int,
        num_steps_per_epoch: Optional[int] = None,
        warmup: float = 0.1,
        passes: int = 1,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= warmup < 1 or passes < 1:
            raise ConfigurationError(
                "linear_warmup: `warmup` is a share of all steps, from 0 to below 1, and `passes` at least 1; got"
                f" {warmup} and {passes}."
            )
        if num_steps_per_epoch is None:
            raise ConfigurationError(
                "linear_warmup needs to know how many batches an epoch has: use the data loader `in_memory`, or give it"
                " `batches_per_epoch`."
            )
        super().__init__(optimizer, last_epoch)
        self.num_steps = num_epochs * num_steps_per_epoch * passes
        self.num_warmup_steps = int(warmup * self.num_steps)
        self.step_batch(1)

    def step(self, metric: Optional[float] = None) -> None:
        """Does nothing: the end of an epoch is no step."""

    def step_batch(self, batch_num_total: Optional[int] = None) -> None:
        # The trainer calls this before the optimizer's step, with the number of the step.
        assert batch_num_total is not None
        self.num_begun = batch_num_total
        for group, value in zip(self.optimizer.param_groups, self.get_values(), strict=True):
            group[self.param_group_field] = value

    def get_values(self) -> list[float]:
        rising = self.num_begun / max(self.num_warmup_steps, 1)
        falling = (self.num_steps + 1 - self.num_begun) / max(self.num_steps - self.num_warmup_steps, 1)
        return [base * max(min(1.0, rising, falling), 0.0) for base in self.base_values]
