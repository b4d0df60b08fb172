from collections import Counter

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.conversion import Conversion, splits_of
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.formats import ReadOptions

TEXTS = [f"text {number}" for number in range(1000)]


def test_shares_and_seed():
    indices = splits_of(TEXTS, [80, 10, 10], 1)
    assert Counter(indices) == {0: 800, 1: 100, 2: 100}
    assert indices == splits_of(TEXTS, [80, 10, 10], 1) != splits_of(TEXTS, [80, 10, 10], 2)
    assert indices[:500].count(0) < 430  # not the first ones


def test_equal_texts_are_in_one_split():
    texts = [f"text {number % 300}" + " " * (number % 3) for number in range(1000)]
    indices = splits_of(texts, [50, 30, 20], 1)
    assert len({(text.strip(), index) for text, index in zip(texts, indices, strict=True)}) == 300
    counts = Counter(indices)
    assert abs(counts[0] - 500) < 10 and abs(counts[1] - 300) < 10


def test_too_few():
    assert sorted(splits_of(["a", "b"], [50, 50], 1)) == [0, 1]
    for texts in ([], ["a", "b", "c"], ["a"] * 100):
        with pytest.raises(ConfigurationError, match="one would be empty"):
            splits_of(texts, [80, 10, 10], 1)


def test_texts_that_are_tokens(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "don\'t  go\\nto New\\u00a0York", "label": [[13, 21, "LOC"]]}\n')

    def refuse(text):
        raise AssertionError("no tokeniser is needed")

    (document,) = Conversion(str(path), "doccano", "hf", ReadOptions(), refuse, True).documents(Tally())
    assert document.words() == ["don't", "go", "to", "New\u00a0York"] and document.sentences == [(0, 2), (2, 4)]
    assert document.token_spans() == [("LOC", 3, 4)]
