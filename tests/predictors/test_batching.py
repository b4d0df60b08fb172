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
        most_tokens = max_tokens if len(batch) > 32 else 4 * max_tokens
        assert len(batch) == 1 or (tokens <= most_tokens and characters <= max_characters)
        assert tokens <= 2 * sum(lengths[place] for place in batch) + max_tokens // 4
    in_order = [lengths[place] for batch in batches for place in batch]
    assert in_order == sorted(in_order)
    assert (len(batches) == 1) == (max_tokens == max_characters == 10**9)


@pytest.mark.parametrize("others", [5, 63])
def test_one_long_sentence_pads_no_other(others):
    sentences = [["a"] * 1300, *([["a"] * 10] * others)]
    assert list(length_buckets(sentences, 4096)) == [list(range(1, others + 1)), [0]]


def test_long_sentences_stand_together():
    assert list(map(len, length_buckets([["a"] * 1000] * 40, 4096))) == [16, 16, 8]
    assert list(map(len, length_buckets([["a"] * 10] * 500, 4096))) == [409, 91]


def test_one_long_token_makes_no_later_batch_smaller():
    sentences = [["x" * 1000], *([["a"]] * 500)]
    assert list(map(len, length_buckets(sentences, 4096, max_characters=1000))) == [1, 500]


def test_batches_by_number_of_pieces():
    sentences = [["word"] * 4] * 30
    lengths = [4 + 200 * (index % 3 == 0) for index in range(30)]
    batches = list(length_buckets(sentences, 512, lengths=lengths))
    assert sorted(index for batch in batches for index in batch) == list(range(30))
    assert batches[0] == [index for index in range(30) if index % 3]
    assert all(len(batch) * max(lengths[index] for index in batch) <= 4 * 512 for batch in batches)
