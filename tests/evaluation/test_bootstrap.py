import numpy as np
import pytest
from scipy import stats

from roseq_allennlp.evaluation.bootstrap import f1_interval, mean_difference, paired_test, sentence_counts
from roseq_allennlp.evaluation.tagged_data import TaggedSentence


def f1(correct, predicted, gold, axis=-1):
    return 200 * correct.sum(axis) / (predicted + gold).sum(axis)


@pytest.fixture
def counts():
    generator = np.random.default_rng(3)
    gold = generator.poisson(1.0, size=300)
    predicted = generator.poisson(1.0, size=300)
    return np.stack([generator.binomial(np.minimum(gold, predicted), 0.7), predicted, gold], axis=1)


def test_counts_of_sentences():
    sentences = [
        TaggedSentence(["a", "b"], ["S-X", "S-Y"], ["S-X", "S-X"], {}),
        TaggedSentence(["a"], ["O"], ["O"], {}),
    ]
    assert sentence_counts(sentences).tolist() == [[1, 2, 2], [0, 0, 0]]
    assert sentence_counts([]).shape == (0, 3)


def test_the_interval_is_that_of_scipy(counts):
    expected = stats.bootstrap(
        tuple(counts.T), f1, paired=True, vectorized=True, n_resamples=10_000, method="percentile", rng=1
    ).confidence_interval
    assert f1_interval(counts) == pytest.approx(tuple(expected), abs=0.25)
    assert f1_interval(counts) == f1_interval(counts)


@pytest.mark.parametrize(
    "interval",
    [
        lambda none, some: f1_interval(some),
        lambda none, some: paired_test(none, some).interval,
        lambda none, some: mean_difference([none], [some]).interval,
    ],
    ids=["f1", "paired test", "difference of means"],
)
def test_an_interval_holds_95_percent(interval):
    """Where F1 is the share of 400 sentences that are right, a sample's is that of a binomial distribution."""
    some = np.ones((400, 3), dtype=int)
    some[::2, 0] = 0
    none = some * [0, 1, 1]
    expected = 100 * stats.binom.ppf([0.025, 0.975], 400, 0.5) / 400  # ±4.9; 90 % would be ±4.1
    assert interval(none, some) == pytest.approx(tuple(expected), abs=0.3)


def test_the_same_tagger_twice_is_no_difference(counts):
    result = paired_test(counts, counts)
    assert result.difference == 0 and tuple(result.interval) == (0, 0) and result.p_value == 1


def test_the_p_value_is_small_where_one_is_better(counts):
    better = counts.copy()
    better[:, 0] = np.minimum(better[:, 1], better[:, 2])
    result = paired_test(counts, better)
    assert result.difference == pytest.approx(f1(*better.T) - f1(*counts.T))
    assert result.interval.low > 0 and result.p_value == pytest.approx(1 / 10_001)
    assert paired_test(better, counts).difference == pytest.approx(-result.difference)


def test_the_p_value_is_uniform_where_there_is_no_difference():
    """Two taggers that are each right by chance: one in twenty tests or so finds p below 0.05."""
    generator = np.random.default_rng(11)
    ones = np.ones(200, dtype=int)
    values = []
    for _ in range(200):
        pair = [np.stack([generator.integers(0, 2, 200), ones, ones], axis=1) for _ in range(2)]
        values.append(paired_test(*pair, samples=500).p_value)
    assert 0.01 <= np.mean(np.array(values) < 0.05) <= 0.11
    assert 0.4 < np.mean(values) < 0.6


def test_no_sentences_or_entities():
    nothing = np.zeros((5, 3), dtype=int)
    assert f1_interval(nothing) == (0, 0)
    assert paired_test(nothing, nothing).p_value == 1
    assert f1_interval(np.zeros((0, 3), dtype=int)) == (0, 0)


def test_other_sentences_are_refused(counts):
    with pytest.raises(ValueError, match="same sentences; got 300 and 299"):
        paired_test(counts, counts[1:])


def test_the_difference_of_means_of_one_run_each_is_the_paired_test(counts):
    better = counts.copy()
    better[::7, 0] = np.minimum(better[::7, 1], better[::7, 2])
    assert mean_difference([counts], [better]) == paired_test(counts, better)


def test_the_difference_of_means_covers_the_choice_of_seeds(counts):
    base = [counts, counts[::-1]]  # equal as a whole, but not sentence by sentence
    worse, better = counts.copy(), counts.copy()
    worse[:, 0], better[:, 0] = 0, np.minimum(counts[:, 1], counts[:, 2])
    overall = [100 * f1(*run.sum(axis=0)[:, None]) / 100 for run in (counts, worse, better)]
    same, spread = mean_difference(base, [counts, counts]), mean_difference(base, [worse, better])
    assert same.difference == pytest.approx(0)
    assert spread.difference == pytest.approx((overall[1] + overall[2]) / 2 - overall[0])
    # In a quarter of the samples both runs of the second system are the worse one, in a quarter the better one.
    assert spread.interval.low < overall[1] - overall[0] + 10 and spread.interval.high > overall[2] - overall[0] - 10
    with pytest.raises(ValueError, match="on the same sentences; got .*299, 300"):
        mean_difference([counts], [counts, counts[1:]])
