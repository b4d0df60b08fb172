import torch
from torch.testing import assert_close

from roseq_allennlp.nn.windows import looked_up_scores, segment_maximum


def test_segment_maximum_is_that_of_amax_with_its_gradient():
    torch.manual_seed(2)
    rows = torch.randint(0, 4, (12, 5)).double().requires_grad_()  # with equal maxima
    sizes = [3, 1, 8]
    segment = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    expected = torch.stack([part.amax(dim=0) for part in rows.split(sizes)])
    factors = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((expected * factors).sum(), rows)
    found = segment_maximum(rows, segment, 3)
    assert_close(found, expected)
    assert_close(torch.autograd.grad((found * factors).sum(), rows)[0], gradient)


def test_looked_up_scores_are_those_of_a_convolution():
    torch.manual_seed(3)
    embeddings = [torch.randn(6, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)]
    ids = [torch.randint(0, len(table), (9,)) for table in embeddings]
    weight = torch.randn(7, 5, 3, dtype=torch.float64)
    channels = torch.cat([table[part] for table, part in zip(embeddings, ids, strict=True)], dim=1)  # (9, 5)
    expected = torch.nn.functional.conv1d(channels.t().unsqueeze(0), weight).squeeze(0).t()  # (7 positions, 7 filters)
    assert_close(looked_up_scores(ids, embeddings, weight)[:7], expected)
