"""The metrics that a model's modules hold."""

import contextlib
import copy
from collections.abc import Iterable, Iterator

import torch
from allennlp.training.metrics import Metric


def metrics_of(model: torch.nn.Module) -> dict[str, Metric]:
    """
    By name: the module's path and the attribute, with the index or key of a metric in a list or dictionary (`_f1`,
    `crf._scores.0`). A metric that stands under two names has the first.
    """
    metrics: dict[str, Metric] = {}
    for path, module in model.named_modules():
        for attribute, value in vars(module).items():
            name = f"{path}.{attribute}".lstrip(".")
            items = [(name, value)]
            if isinstance(value, dict):
                items = [(f"{name}.{key}", item) for key, item in value.items()]
            elif isinstance(value, (list, tuple)):
                items = [(f"{name}.{index}", item) for index, item in enumerate(value)]
            metrics.update((key, item) for key, item in items if isinstance(item, Metric))
    return metrics


@contextlib.contextmanager
def unchanged(metrics: Iterable[Metric]) -> Iterator[None]:
    """Metrics hold after the block what they held before it."""
    saved = [(metric, copy.deepcopy(vars(metric))) for metric in metrics]
    try:
        yield
    finally:
        for metric, state in saved:
            vars(metric).update(state)
