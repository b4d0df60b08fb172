from collections import Counter
from collections.abc import Sequence

import torch.distributed as dist
from allennlp.nn.util import is_distributed
from allennlp.training.metrics import Metric

from roseq_allennlp.data.tag_schemes import to_spans


@Metric.register("conll_f1")
class ConllF1(Metric):
    """
    Entity precision, recall and F1 as `conlleval` computes them: an entity counts when its type and both its ends are
    right; the overall figures are micro-averages.

    In distributed training the *counts* of all workers are added when the metric is read with `reset=True`, so the
    result is that of one process over the same sentences.

    # Parameters

    scheme : `str`, optional (default = `"BIOUL"`)
        Scheme of the tags, see `tag_schemes.to_spans`, which also says how an invalid sequence is read.
    """

    def __init__(self, scheme: str = "BIOUL") -> None:
        self._scheme = scheme
        self.reset()

    def __call__(  # type: ignore[override]
        self, predictions: Sequence[Sequence[str]], gold_labels: Sequence[Sequence[str]]
    ) -> None:
        """
        Tags of real tokens, sentence by sentence.

        # Raises

        `ValueError` if the two do not have the same number of sentences and of tokens in each.
        """
        if [len(tags) for tags in predictions] != [len(tags) for tags in gold_labels]:
            raise ValueError(
                "Predicted and gold tags must have the same sentences with the same number of tokens each."
            )
        for predicted_tags, gold_tags in zip(predictions, gold_labels):
            predicted, gold = set(to_spans(predicted_tags, self._scheme)), set(to_spans(gold_tags, self._scheme))
            self._predicted.update(span.label for span in predicted)
            self._gold.update(span.label for span in gold)
            self._correct.update(span.label for span in predicted & gold)
            self._tokens["all"] += len(gold_tags)
            self._tokens["correct"] += sum(a == b for a, b in zip(predicted_tags, gold_tags))

    def get_metric(self, reset: bool = False) -> dict[str, float]:
        """
        # Returns

        `accuracy` of tokens, and `precision`, `recall`, `f1-measure` for each type (`f1-measure-LOC`) and `overall`,
        all in [0, 1]. A ratio with nothing below the line is 0.
        """
        correct, predicted, gold, tokens = self._correct, self._predicted, self._gold, self._tokens
        if reset:
            correct, predicted, gold, tokens = map(_sum_over_workers, (correct, predicted, gold, tokens))
            self.reset()
        metrics = {"accuracy": _ratio(tokens["correct"], tokens["all"])}
        for label in sorted(gold.keys() | predicted.keys()):
            metrics.update(_scores(label, correct[label], predicted[label], gold[label]))
        metrics.update(_scores("overall", correct.total(), predicted.total(), gold.total()))
        return metrics

    def reset(self) -> None:
        self._correct: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()
        self._gold: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()


def _sum_over_workers(counts: "Counter[str]") -> "Counter[str]":
    if not is_distributed():
        return counts
    parts: list[Counter] = [Counter() for _ in range(dist.get_world_size())]
    dist.all_gather_object(parts, counts)
    return sum(parts, Counter())


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _scores(name: str, correct: int, predicted: int, gold: int) -> dict[str, float]:
    return {
        f"precision-{name}": _ratio(correct, predicted),
        f"recall-{name}": _ratio(correct, gold),
        f"f1-measure-{name}": _ratio(2 * correct, predicted + gold),
    }
