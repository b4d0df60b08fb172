from collections import Counter

import pytest

from roseq_allennlp.data.folds import folds_of


@pytest.mark.parametrize("size, number", [(10, 3), (9, 3), (5, 5), (101, 4)])
def test_folds_are_of_nearly_the_same_size_and_drawn_by_the_seed(size, number):
    folds = folds_of(size, number, 1)
    sizes = Counter(folds)
    assert len(folds) == size and sizes.keys() == set(range(number)) and max(sizes.values()) - min(sizes.values()) <= 1
    assert folds == folds_of(size, number, 1)
    assert folds != sorted(folds) or size == number
    assert len({tuple(folds_of(size, number, seed)) for seed in range(9)}) > 1


@pytest.mark.parametrize("size, number", [(10, 1), (10, 0), (2, 3)])
def test_what_makes_no_folds(size, number):
    with pytest.raises(ValueError, match=f"from 2 to that of sentences, {size}; got {number}"):
        folds_of(size, number, 1)
