from typing import Union

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric


@Metric.register("loss_average")
class LossAverage(Metric):
    """
    Mean of a loss over the batches since the last reset.

    Unlike AllenNLP's `Average` it reduces over workers only when it is read with `reset=True`, at the end of an epoch:
    reading a value during training waits for no other worker.
    """

    def __init__(self) -> None:
        self._total: Union[float, torch.Tensor] = 0.0
        self._count = 0

    def __call__(self, value: torch.Tensor) -> None:  # type: ignore[override]
        """`value` is a scalar, one a batch."""
        self._total = self._total + value.detach()
        self._count += 1

    def get_metric(self, reset: bool = False) -> float:
        total, count = float(self._total), self._count
        if reset:
            total, count = dist_reduce_sum(total), dist_reduce_sum(count)
            self.reset()
        return total / count if count else 0.0

    def state_dict(self) -> dict[str, float]:
        return {"total": float(self._total), "count": self._count}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._total, self._count = state["total"], int(state["count"])

    def reset(self) -> None:
        self._total, self._count = 0.0, 0
