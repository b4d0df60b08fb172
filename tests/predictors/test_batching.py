import itertools
import random

import pytest

from roseq_allennlp.predictors.batching import length_buckets, windows


def test_windows():
    read = []

    def items():
        for item in itertools.cycle([["a", "b"], "texts", None, ["c"] * 9]):  # sizes 2, 5, 1 and 9
            read.append(item)
            yield item

    def sizes(max_items, max_size):
        read.clear()
        found = [len(window) for window in itertools.islice(windows(items(), max_items, max_size), 4)]
        assert len(read) == sum(found)  # nothing is read ahead
        return found

    assert sizes(3, 1000) == [3, 3, 3, 3]
    assert sizes(3, 8) == [3, 1, 3, 1]
    assert sizes(100, 1) == [1, 1, 1, 1]
    assert list(windows(iter("abc"), 2, 100)) == [["a", "b"], ["c"]]
    assert list(windows([], 2, 100)) == []


@pytest.mark.parametrize(
    "max_tokens, max_characters", [(1, 10**9), (64, 10**9), (64, 400), (10**9, 400), (10**9, 10**9)]
)
def test_length_buckets(max_tokens, max_characters):
    rng = random.Random(1)
    lengths = [*(rng.randrange(1, 30) for _ in range(200)), 1300]
    sentences = [["x" * rng.choice([1, 3, 3, 40])] * length for length in lengths]
    batches = list(length_buckets(sentences, max_tokens, max_characters))
    assert sorted(itertools.chain(*batches)) == list(range(201))
    for batch in batches:
        tokens = len(batch) * max(lengths[place] for place in batch)
        characters = tokens * max(len(sentences[place][0]) for place in batch)
        assert len(batch) == 1 or (tokens <= max_tokens and characters <= max_characters)
    in_order = [lengths[place] for batch in batches for place in batch]
    assert in_order == sorted(in_order)
    full = [batch for batch in batches if len(batch) > 1]
    assert bool(full) == (max_tokens > 1) and (max_tokens < 10**9 or max_characters < 10**9 or len(batches) == 1)


def test_one_long_sentence_pads_no_other():
    sentences = [["a"] * 1300, *([["a"] * 10] * 63)]
    assert list(length_buckets(sentences, 4096)) == [list(range(1, 64)), [0]]
