"""
Bootstrap over sentences: how far an F1 score would move on other data of the same kind, and whether the difference of two
taggers is more than chance.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roseq_allennlp.scoring.conlleval import Counts, count_matches

if TYPE_CHECKING:  # it imports AllenNLP, which results are read without
    from roseq_allennlp.evaluation.tagged_data import TaggedSentence

SAMPLES = 10_000


class Interval(NamedTuple):
    """The two ends of a 95 % interval, in percent where nothing else is said."""

    low: float
    high: float


def sentence_counts(sentences: "Iterable[TaggedSentence]") -> np.ndarray:
    """Counts the correct, predicted and gold entities of each sentence: `(sentences, 3)` int64."""
    pairs = ([(sentence.gold_entities, sentence.predicted_entities)] for sentence in sentences)
    counts = [sum(count_matches(pair).values(), Counts()) for pair in pairs]
    return np.array(counts, dtype=np.int64).reshape(-1, 3)


def f1_interval(counts: np.ndarray, samples: int = SAMPLES, seed: int = 1) -> Interval:
    """
    Returns the 95 % percentile interval of micro F1 (Efron and Tibshirani 1993, chapter 13), from `sentence_counts`.
    """
    return Interval(*np.percentile(_f1(_resampled(counts, samples, seed)), [2.5, 97.5]).tolist())


def ratio_interval(sums: np.ndarray, samples: int = 1000, seed: int = 1) -> Interval:
    """
    Returns the 95 % percentile interval of a mean, as a number of its own unit, from each sentence's sum and count,
    `(sentences, 2)`; 0 where there is nothing to count.
    """
    drawn = _resampled(sums, samples, seed)
    return Interval(*np.percentile(drawn[:, 0] / np.maximum(drawn[:, 1], 1), [2.5, 97.5]).tolist())


class PairedTest(NamedTuple):
    """`difference` is the second tagger's F1 minus the first's, in percent; `p_value` is two-sided."""

    difference: float
    interval: Interval
    p_value: float


def paired_test(first: np.ndarray, second: np.ndarray, samples: int = SAMPLES, seed: int = 1) -> PairedTest:
    """
    Tests whether two taggers differ on the same sentences, from the `sentence_counts` of each. The p-value is the share of
    samples whose difference is at least as far from the observed difference as that is from 0 (Berg-Kirkpatrick et al.
    2012, equation 1, two-sided); the data themselves count as one of the samples.

    # Raises

    `ValueError` if they do not have the same number of sentences.
    """
    if first.shape != second.shape:
        raise ValueError(f"Two taggers are compared on the same sentences; got {len(first)} and {len(second)}.")
    observed = float(_f1(second.sum(axis=0)) - _f1(first.sum(axis=0)))
    drawn = _resampled(np.concatenate([first, second], axis=1), samples, seed)
    return _test(observed, _f1(drawn[:, 3:]) - _f1(drawn[:, :3]))


def mean_difference(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], samples: int = SAMPLES, seed: int = 1
) -> PairedTest:
    """
    Tests whether two systems, each trained with several seeds, differ on the same sentences, from the `sentence_counts` of
    each run: `difference` is the second system's mean F1 minus the first's. A sample draws sentences, the same for all
    runs, and from each system's runs as many as it has, both with replacement, so the interval covers the choice of the
    test sentences and that of the seeds. The p-value is computed as in `paired_test`.

    # Raises

    `ValueError` if the runs do not have the same number of sentences.
    """
    runs = [*first, *second]
    if len({run.shape for run in runs}) > 1:
        raise ValueError(f"Runs are compared on the same sentences; got {sorted({len(run) for run in runs})}.")
    drawn = _resampled(np.concatenate(runs, axis=1), samples, seed)
    f1 = _f1(drawn.reshape(samples, len(runs), 3))
    whole = _f1(np.stack([run.sum(axis=0) for run in runs]))
    generator = np.random.default_rng(seed)
    sides = []
    for start, number in ((0, len(first)), (len(first), len(second))):
        chosen = start + generator.integers(number, size=(samples, number))
        sides.append(np.take_along_axis(f1, chosen, axis=1).mean(axis=1))
    return _test(float(whole[len(first) :].mean() - whole[: len(first)].mean()), sides[1] - sides[0])


def _test(observed: float, differences: np.ndarray) -> PairedTest:
    as_far = np.count_nonzero(np.abs(differences - observed) >= abs(observed) - 1e-9)
    interval = Interval(*np.percentile(differences, [2.5, 97.5]).tolist())
    return PairedTest(observed, interval, float((as_far + 1) / (len(differences) + 1)))


def _resampled(counts: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """
    Draws `samples` data sets with as many sentences as this one, with replacement, and returns their counts: `(samples,
    columns)`. Sentences with equal counts are drawn as one kind: few kinds stand for thousands of sentences, and the
    distribution is the same.
    """
    if not len(counts):
        return np.zeros((samples, counts.shape[1]), dtype=np.int64)
    kinds, frequencies = np.unique(counts, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    return generator.multinomial(len(counts), frequencies / len(counts), size=samples) @ kinds


def _f1(counts: np.ndarray) -> np.ndarray:
    """Returns F1 in percent from `(…, 3)` correct, predicted and gold entities."""
    denominator = counts[..., 1] + counts[..., 2]
    return 200 * counts[..., 0] / np.maximum(denominator, 1)
