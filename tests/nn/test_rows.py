import pytest
import torch

from roseq_allennlp.nn import rows
from roseq_allennlp.nn.rows import by_token


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("backwards", [False, True])
def test_each_row_once_in_order(length, backwards, monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK", 3)
    table = torch.arange(2 * length).view(length, 2)
    views = list(by_token(table, backwards))
    expected = table.tolist()
    assert [view.tolist() for view in views] == (expected[::-1] if backwards else expected)
    if views:
        views[0].zero_()
        assert not table[-1 if backwards else 0].any()  # a view
