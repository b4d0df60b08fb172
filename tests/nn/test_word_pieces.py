import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roseq_allennlp.nn.layer_mix import mixed
from roseq_allennlp.nn.word_pieces import length_groups, pooling_weights, windows_of


@given(st.lists(st.integers(1, 8), min_size=1, max_size=60), st.integers(8, 30), st.data())
def test_windows_cover_each_word_once_within_their_size(counts: list[int], size: int, data) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    windows = windows_of(np.array(counts), size, overlap)
    assert [word for window in windows for word in range(window.kept_first, window.kept_end)] == list(
        range(len(counts))
    )
    for window in windows:
        assert window.first <= window.kept_first <= window.kept_end <= window.end
        assert sum(counts[window.first : window.end]) <= size
    for window, following in zip(windows, windows[1:], strict=False):
        assert window.first < following.first <= window.end < following.end
    if sum(counts) <= size:
        assert len(windows) == 1


@given(st.integers(20, 200), st.integers(8, 20), st.integers(0, 4))
def test_a_word_is_kept_where_it_has_the_most_context(words: int, size: int, overlap: int) -> None:
    windows = windows_of(np.ones(words, np.int64), size, overlap)
    for window in windows:
        for word in range(window.kept_first, window.kept_end):

            def context(window, word=word) -> float:
                left = float("inf") if window.first == 0 else word - window.first
                right = float("inf") if window.end == words else window.end - 1 - word
                return min(left, right)

            holding = [other for other in windows if other.first <= word < other.end]
            assert context(window) >= max(map(context, holding)) - 1
    assert all(later.first <= earlier.end - overlap for earlier, later in zip(windows, windows[1:], strict=False))


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(0, 100), st.integers(1, 500))
def test_length_groups_hold_each_row_once(lengths: list[int], overhead: int, max_size: int) -> None:
    groups = list(length_groups(lengths, overhead, max_size))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[index] for index in group)
        assert len(group) == 1 or len(group) * longest <= max_size
        assert sum(longest - lengths[index] for index in group) <= overhead


def test_pooling_weights_average_the_pieces_of_words() -> None:
    vectors = torch.randn(2, 6, 3)
    weights = pooling_weights(torch.tensor([[1, 2], [1, 5]]), torch.tensor([[1, 3], [4, 0]]), 6)
    actual = weights @ vectors
    expected = [vectors[0, 1], vectors[0, 2:5].mean(0), vectors[1, 1:5].mean(0), torch.zeros(3)]
    torch.testing.assert_close(actual.flatten(0, 1), torch.stack(expected))


def test_mixed_is_the_weighted_sum_and_has_its_gradient() -> None:
    features = [torch.randn(4, words, 3, dtype=torch.float64) for words in (2, 5)]
    weights = torch.randn(4, dtype=torch.float64, requires_grad=True)
    actual = mixed(weights, features)
    for row, layers in zip(actual, features, strict=True):
        expected = sum(weight * layer for weight, layer in zip(weights, layers, strict=True))
        torch.testing.assert_close(row[: layers.size(1)], expected)
        assert not row[layers.size(1) :].any()
    assert torch.autograd.gradcheck(lambda weights: mixed(weights, features), weights)


def test_a_long_word_needs_a_window_of_its_own() -> None:
    windows = windows_of(np.array([1, 8, 1]), 8, 4)
    assert [(window.kept_first, window.kept_end) for window in windows] == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("overlap", [0, 3])
def test_one_piece_a_word(overlap: int) -> None:
    windows = windows_of(np.ones(10, np.int64), 4, overlap)
    assert windows[0].first == 0 and windows[-1].end == 10
