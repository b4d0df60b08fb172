import random

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import count_matches, entities, total

needs_nervaluate = pytest.mark.skipif(not error_kinds.AVAILABLE, reason="nervaluate needs Python 3.11")


@needs_nervaluate
@pytest.mark.parametrize(
    "gold, predicted, expected",
    [
        ([Span("A", 0, 2)], [Span("A", 0, 2)], [("correct", Span("A", 0, 2))]),
        ([Span("A", 0, 2)], [Span("B", 0, 2)], [("type", Span("B", 0, 2))]),
        ([Span("A", 0, 2)], [Span("A", 1, 3)], [("boundary", Span("A", 1, 3))]),
        ([Span("A", 0, 2)], [Span("B", 1, 2)], [("type and boundary", Span("B", 1, 2))]),
        ([Span("A", 0, 2)], [], [("missed", Span("A", 0, 2))]),
        ([], [Span("A", 0, 2)], [("spurious", Span("A", 0, 2))]),
        ([Span("A", 0, 2)], [Span("A", 2, 4)], [("spurious", Span("A", 2, 4)), ("missed", Span("A", 0, 2))]),
        (
            [Span("A", 0, 1), Span("A", 1, 2)],
            [Span("A", 0, 2)],
            [("boundary", Span("A", 0, 2)), ("missed", Span("A", 1, 2))],
        ),
    ],
)
def test_by_hand(gold, predicted, expected):
    assert error_kinds.error_kinds([([], []), (gold, predicted)]) == [[], expected]


@needs_nervaluate
def test_each_entity_is_counted_once():
    rng = random.Random(5)
    tags = ["O", "O", "B-A", "I-A", "B-B", "I-B"]
    pairs = [tuple(entities(rng.choices(tags, k=12)) for _ in range(2)) for _ in range(500)]
    counts = error_kinds.count_kinds(error_kinds.error_kinds(pairs))
    matches = total(count_matches(pairs))
    assert counts["correct"] == matches.correct
    matched = sum(counts[kind] for kind in ("correct", "boundary", "type", "type and boundary"))
    assert matched + counts["spurious"] == matches.predicted
    assert matched + counts["missed"] == matches.gold
    assert all(counts.values())


@needs_nervaluate
def test_nothing_to_find():
    assert error_kinds.error_kinds([([], [])]) == [[]]
    assert set(error_kinds.count_kinds([]).values()) == {0}


def test_python_3_10_is_told(monkeypatch):
    monkeypatch.setattr(error_kinds, "AVAILABLE", False)
    with pytest.raises(ConfigurationError, match="Python 3.11"):
        error_kinds.error_kinds([])
