import torch
from torch.testing import assert_close

from roseq_allennlp.nn.mirror import mirror


def test_mirror_turns_each_sentence_round_within_its_length():
    values = torch.arange(1.0, 9.0).view(2, 4, 1).requires_grad_()
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
    turned = mirror(values, mask)
    assert turned.flatten().tolist() == [3, 2, 1, 4, 8, 7, 6, 5]
    turned.backward(turned.detach())
    assert_close(values.grad, values.detach())  # the gradient is turned back
