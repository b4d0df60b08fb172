import itertools

import pytest
import torch

from roseq_allennlp.nn.distillation import excess_counts
from roseq_allennlp.nn.distillation import path_cross_entropy as with_counts
from roseq_allennlp.nn.forward_backward import Potentials, path_entropy, path_score

LENGTHS = (4, 1, 3)


def chain(seed, num_tags=3, requires_grad=False):
    generator = torch.Generator().manual_seed(seed)

    def scores(*shape):
        return (2 * torch.randn(*shape, generator=generator, dtype=torch.float64)).requires_grad_(requires_grad)

    return Potentials(scores(3, 4, num_tags), scores(num_tags, num_tags), scores(num_tags), scores(num_tags))


@pytest.fixture
def mask():
    return torch.tensor([[step < length for step in range(4)] for length in LENGTHS])


def path_cross_entropy(student, teacher, mask):
    return with_counts(student, excess_counts(teacher, mask), mask)


def log_probabilities(potentials, mask):
    """Of all paths of each sentence, by enumeration."""
    for row, length in enumerate(LENGTHS):
        paths = torch.tensor(list(itertools.product(range(3), repeat=length)))
        many = potentials._replace(emissions=potentials.emissions[row, :length].expand(len(paths), -1, -1))
        yield torch.log_softmax(path_score(many, paths, torch.ones_like(paths, dtype=torch.bool)), dim=0)


def test_it_is_that_of_all_paths(mask):
    student, teacher = chain(1), chain(2)
    pairs = zip(log_probabilities(teacher, mask), log_probabilities(student, mask), strict=True)
    expected = [-(log_p.exp() * log_q).sum() for log_p, log_q in pairs]
    torch.testing.assert_close(path_cross_entropy(student, teacher, mask), torch.stack(expected).mean())


def test_of_a_chain_and_itself_it_is_the_entropy_where_the_gradient_is_zero(mask):
    student = chain(1, requires_grad=True)
    value = path_cross_entropy(student, student, mask)
    torch.testing.assert_close(value, path_entropy(student, mask).mean())
    for gradient in torch.autograd.grad(value, student):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_gradient(mask):
    student, teacher = chain(1, requires_grad=True), chain(2, requires_grad=True)
    torch.autograd.gradcheck(lambda *scores: path_cross_entropy(Potentials(*scores), teacher, mask), tuple(student))
    path_cross_entropy(student, teacher, mask).backward()
    assert all(scores.grad is None for scores in teacher) and student.transitions.grad.abs().sum() > 0


def test_what_is_no_token_does_not_count(mask):
    student, teacher = chain(1), chain(2)
    value = path_cross_entropy(student, teacher, mask)
    for potentials in (student, teacher):
        potentials.emissions[~mask] = 100.0
    torch.testing.assert_close(path_cross_entropy(student, teacher, mask), value)
