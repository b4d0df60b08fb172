"""How scores are shown: a row with an interval for each tagger, and a sentence for the paired test of two."""

from typing import Any

import numpy as np

from roseq_allennlp.evaluation.bootstrap import f1_interval, paired_test
from roseq_allennlp.scoring.conlleval import Counts

HEADERS = ("model", "precision", "recall", "F1", "95 % interval")


def score_row(name: str, counts: np.ndarray) -> list[Any]:
    """Returns a tagger's precision, recall and F1 in percent, under `HEADERS`, from its `sentence_counts`."""
    overall = Counts(*counts.sum(axis=0).tolist())
    low, high = f1_interval(counts)
    return [name, overall.precision, overall.recall, overall.f1, f"{low:.2f} to {high:.2f}"]


def paired_test_sentence(first: str, second: str, first_counts: np.ndarray, second_counts: np.ndarray) -> str:
    """Returns the difference of two taggers in words, with its interval and p-value, from their `sentence_counts`."""
    test = paired_test(first_counts, second_counts)
    return (
        f"F1 {second} - F1 {first}: {test.difference:+.2f} (95 % {test.interval.low:+.2f} to"
        f" {test.interval.high:+.2f}), p = {test.p_value:.4f}"
    )
