from collections import Counter

from roseq_allennlp.evaluation.corpus_statistics import SplitStatistics, split_statistics


def test_by_hand():
    tags = [["B-A", "I-A", "O", "B-B-c"], ["O"], ["S-A", "B-A", "E-A"]]
    assert split_statistics(tags) == SplitStatistics(
        3, Counter({"A": 5, "B-c": 1, "O": 2}), Counter({"A": 3, "B-c": 1})
    )
