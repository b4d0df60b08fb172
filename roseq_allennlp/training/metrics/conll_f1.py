from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from allennlp.nn.util import is_distributed
from allennlp.training.metrics import Metric

from roseq_allennlp.scoring.conlleval import Counts, Score, score


@Metric.register("conll_f1")
class ConllF1(Metric):
    """
    Token accuracy and entity precision, recall and F1 as `conlleval` computes them, see `scoring.conlleval`: an entity
    counts when its type and both its ends are right; the overall figures are micro-averages.

    In distributed training the *counts* of all workers are added when the metric is read with `reset=True`, so the
    result is that of one process over the same sentences.
    """

    def __init__(self) -> None:
        self.reset()

    def __call__(  # type: ignore[override]
        self, predictions: Sequence[Sequence[str]], gold_labels: Sequence[Sequence[str]]
    ) -> None:
        """
        Tags of real tokens, sentence by sentence, in BIOUL or any other scheme, the same in all calls.

        # Raises

        `ValueError` if the two do not have the same number of sentences and of tokens in each.
        """
        self._score += score(gold_labels, predictions)

    def get_metric(self, reset: bool = False) -> dict[str, float]:
        """
        # Returns

        `accuracy` of tokens, and `precision`, `recall`, `f1-measure` for each type (`f1-measure-LOC`) and `overall`,
        all in [0, 1]. A ratio with nothing below the line is 0.
        """
        result = self._score
        if reset:
            result = _sum_over_workers(result)
            self.reset()
        metrics = {"accuracy": result.accuracy / 100}
        for label, counts in result.types.items():
            metrics.update(_scores(label, counts))
        return {**metrics, **_scores("overall", result.overall)}

    def state_dict(self) -> dict[str, Any]:
        """In types that `torch.load` takes without executing anything."""
        counts = {label: list(row) for label, row in self._score.types.items()}
        return {"types": counts, "tokens": self._score.tokens, "correct_tokens": self._score.correct_tokens}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        types = {label: Counts(*counts) for label, counts in state["types"].items()}
        self._score = Score(types, state["tokens"], state["correct_tokens"])

    def reset(self) -> None:
        self._score = Score()


def _sum_over_workers(part: Score) -> Score:
    if not is_distributed():
        return part
    parts = [Score() for _ in range(dist.get_world_size())]
    dist.all_gather_object(parts, part)
    return sum(parts, Score())


def _scores(name: str, counts: Counts) -> dict[str, float]:
    return {
        f"precision-{name}": counts.precision / 100,
        f"recall-{name}": counts.recall / 100,
        f"f1-measure-{name}": counts.f1 / 100,
    }
