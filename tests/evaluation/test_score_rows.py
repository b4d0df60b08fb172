import re

import pytest

from roseq_allennlp.evaluation.bootstrap import f1_interval, paired_test, sentence_counts
from roseq_allennlp.evaluation.score_rows import HEADERS, paired_test_sentence, score_row
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, score_of


def sentences(*predicted):
    return [TaggedSentence(["a", "b"], ["S-A", "S-B"], tags.split(), {}) for tags in predicted]


FIRST = sentences("S-A S-B", "O S-A", "S-B O", "S-A O", "O O")
SECOND = sentences("S-A S-B", "S-A S-A", "O O", "S-A S-B", "O S-B")


def test_a_row_has_the_score_and_its_interval():
    row = dict(zip(HEADERS, score_row("first", sentence_counts(FIRST)), strict=True))
    overall = score_of(FIRST).overall
    assert (row["model"], row["precision"], row["recall"], row["F1"]) == ("first", 60.0, 30.0, pytest.approx(40.0))
    assert (row["precision"], row["recall"], row["F1"]) == (overall.precision, overall.recall, overall.f1)
    interval = f1_interval(sentence_counts(FIRST))
    assert row["95 % interval"] == f"{interval.low:.2f} to {interval.high:.2f}" and interval.low < 40 < interval.high


def test_the_sentence_of_a_test_has_its_difference_interval_and_p_value():
    counts = [sentence_counts(tagged) for tagged in (FIRST, SECOND)]
    test = paired_test(*counts)
    text = paired_test_sentence("first", "second", *counts)
    numbers = re.fullmatch(r"F1 second - F1 first: (\S+) \(95 % (\S+) to (\S+)\), p = (\S+)", text)
    assert numbers is not None
    assert numbers[1] == f"{score_of(SECOND).overall.f1 - score_of(FIRST).overall.f1:+.2f}" and numbers[1][0] == "+"
    assert list(map(float, numbers.groups()[1:])) == pytest.approx([*test.interval, test.p_value], abs=0.0051)
