import math

import pytest
import torch

from roseq_allennlp.nn.range_sums import range_sums


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 64, 1000])
def test_each_sum_is_the_exact_one_rounded(length):
    torch.manual_seed(length)
    values = (torch.randn(3, length, dtype=torch.float64) * 900).where(torch.rand(3, length) > 0.01, -math.inf)
    starts = torch.randint(length, (500,))
    lengths = (torch.rand(500) * (length - starts + 1)).long()
    rows = torch.randint(3, (500,))
    sums = range_sums(values, rows, starts, lengths)
    for row, start, number, actual in zip(rows, starts, lengths, sums.tolist(), strict=True):
        terms = values[row, start : start + number].tolist()
        size = sum(abs(term) for term in terms if term > -math.inf)
        # Each term is rounded once for each doubling, at most.
        bound = size * torch.finfo(torch.float64).eps * (math.log2(length) + 1)
        assert actual == -math.inf if -math.inf in terms else abs(actual - math.fsum(terms)) <= bound


def test_ranges_at_the_end_of_a_row_and_no_ranges():
    values = torch.arange(5.0).unsqueeze(0)
    rows = torch.zeros(3, dtype=torch.long)
    assert range_sums(values, rows, torch.tensor([5, 4, 0]), torch.tensor([0, 1, 5])).tolist() == [0, 4, 10]
    assert range_sums(values, rows[:0], rows[:0], rows[:0]).shape == (0,)
