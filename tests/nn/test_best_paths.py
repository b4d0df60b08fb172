import pytest
import torch
from torch.testing import assert_close

from roseq_allennlp.nn.best_paths import n_best, viterbi
from roseq_allennlp.nn.forward_backward import Potentials, path_score


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 2, 4), (6, 9, 5), (30, 40, 17)], ids=str)
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_viterbi_is_the_first_of_the_n_best(shape, scale):
    torch.manual_seed(17)
    batch_size, length, num_tags = shape
    sizes = shape, (num_tags, num_tags), (num_tags,), (num_tags,)
    potentials = Potentials(*(scale * torch.randn(size, dtype=torch.float64) for size in sizes))
    mask = torch.arange(length) < torch.randint(1, length + 1, (batch_size, 1))
    tags, scores = viterbi(potentials, mask)
    best, best_scores = n_best(potentials, mask, 1)
    assert_close(scores, best_scores[:, 0], rtol=0, atol=0)
    assert_close(path_score(potentials, tags, mask), scores, rtol=1e-12, atol=1e-9)
    assert (tags[~mask] == 0).all()
    if scale:  # otherwise all paths are as good
        assert torch.equal(tags, best[:, 0])
