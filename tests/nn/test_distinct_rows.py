import torch

from roseq_allennlp.nn import distinct_rows as module
from roseq_allennlp.nn.distinct_rows import distinct_rows


def test_distinct_rows():
    torch.manual_seed(1)
    table = torch.randint(0, 3, (400, 4))
    rows = torch.randperm(400)[:300]
    picked, occurrences = distinct_rows(table, rows)
    assert torch.equal(table[picked][occurrences], table[rows])
    assert len(picked) == len({tuple(row) for row in table[rows].tolist()}) < 82


def test_equal_hashes_of_different_rows_are_noticed(monkeypatch):
    monkeypatch.setattr(module, "HASH_FACTOR", 0)  # all hashes are then equal
    rows = torch.arange(3)
    picked, occurrences = distinct_rows(torch.tensor([[1, 2], [1, 2], [2, 1]]), rows)
    assert picked is rows and occurrences is None
