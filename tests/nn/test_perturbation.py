import pytest
import torch
from torch.testing import assert_close

from roseq_allennlp.nn.perturbation import adversarial_perturbation

SHAPES = pytest.mark.parametrize("shape", [(4, 6, 5), (4 * 6, 5), (4 * 6, 3, 5), (4, 5)], ids=str)


def random_gradient(shape, dtype=torch.float32):
    torch.manual_seed(11)
    return torch.randn(shape, dtype=dtype)


@SHAPES
@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_one_step_of_length_epsilon_along_the_gradient_of_each_sentence(shape, epsilon):
    gradient = random_gradient(shape, torch.float64)
    eta = adversarial_perturbation(gradient, epsilon, num_sentences=4)
    assert eta.shape == gradient.shape
    rows = shape[0] // 4
    for sentence in range(4):
        own = slice(sentence * rows, (sentence + 1) * rows)
        expected = epsilon * gradient[own] / gradient[own].square().sum().sqrt()
        assert_close(eta[own], expected, rtol=1e-12, atol=1e-12)


@SHAPES
@pytest.mark.parametrize("by_rows", [False, True])
def test_the_norm_of_each_vector_or_channel(shape, by_rows):
    gradient = random_gradient(shape, torch.float64)
    owners = torch.arange(4).repeat_interleave(shape[0] // 4)
    if by_rows:  # not in the order of the sentences
        order = torch.randperm(len(owners))
        gradient, owners = gradient[order], owners[order]
    arguments = (3.0, 4, owners if by_rows else None)
    token = adversarial_perturbation(gradient, *arguments, norm="token")
    for vector, moved in zip(gradient.view(-1, 5), token.view(-1, 5), strict=True):
        assert_close(moved, 3 * vector / vector.norm())
    channel = adversarial_perturbation(gradient, *arguments, norm="channel")
    for sentence in range(4):
        own, moved = (values[owners == sentence].view(-1, 5) for values in (gradient, channel))
        assert_close(moved, 3 * own / own.norm(dim=0))
        assert_close(moved.norm(), torch.tensor(3 * 5**0.5, dtype=torch.float64))  # √channels times as far


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 65536.0, 1e30, 3e37])
def test_scale_of_the_loss_does_not_matter(scale):
    gradient = random_gradient((2, 3, 4))
    scaled = gradient * scale
    assert scaled.isfinite().all() and scaled.abs().amax() > 0
    tolerance = 1e-2 if scale < 1e-38 else 1e-6  # a subnormal number has few bits
    expected = adversarial_perturbation(gradient, 1.0, 2)
    assert_close(adversarial_perturbation(scaled, 1.0, 2), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("value", [0.0, float("inf"), -float("inf"), float("nan")])
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_sentence_without_a_usable_gradient_is_left_alone(value, everywhere):
    gradient = random_gradient((3, 2, 4))
    if value == 0.0 or everywhere:
        gradient[1] = value
    else:
        gradient[1, 0, 2] = value
    eta = adversarial_perturbation(gradient, 0.5, 3)
    assert (eta[1] == 0).all()
    norms = eta.flatten(1).norm(dim=1)
    assert_close(norms, torch.tensor([0.5, 0.0, 0.5]))


def test_epsilon_zero_is_no_step():
    assert (adversarial_perturbation(random_gradient((2, 3, 4)), 0.0, 2) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_gradient(dtype):
    gradient = (100 * random_gradient((2, 30, 40))).to(dtype)  # its squares leave float16
    eta = adversarial_perturbation(gradient, 1.0, 2)
    assert eta.dtype == dtype
    assert_close(eta, adversarial_perturbation(gradient.double(), 1.0, 2).to(dtype))


def test_layout_in_memory_does_not_matter():
    gradient = random_gradient((5, 3, 4)).transpose(0, 1)  # not contiguous
    assert_close(adversarial_perturbation(gradient, 1.0, 3), adversarial_perturbation(gradient.contiguous(), 1.0, 3))


def test_raises_the_loss_more_than_random_steps_of_its_length():
    torch.manual_seed(2)
    matrix = torch.randn(10, 6, dtype=torch.float64)
    inputs = torch.randn(3, 2, 5, dtype=torch.float64, requires_grad=True)

    def losses(inputs):
        return torch.logsumexp(inputs.flatten(1) @ matrix, dim=1)

    clean = losses(inputs)
    (gradient,) = torch.autograd.grad(clean.sum(), inputs)
    epsilon = 1e-3
    rise = losses(inputs + adversarial_perturbation(gradient, epsilon, 3)) - clean
    assert_close(rise, epsilon * gradient.flatten(1).norm(dim=1), rtol=1e-2, atol=0)
    for _ in range(50):
        other = torch.randn(3, 10, dtype=torch.float64)
        other = (epsilon * other / other.norm(dim=1, keepdim=True)).view_as(inputs)
        assert (losses(inputs + other) - clean < rise).all()


@pytest.mark.parametrize("scale", [1.0, 1e30, 1e-30])
def test_rows_of_sentences_in_any_order(scale):
    torch.manual_seed(3)
    sentences = torch.tensor([2, 0, 2, 2, 0, 3])  # sentence 1 has no row
    gradient = scale * torch.randn(6, 5)
    gradient[5] = 0.0
    expected = torch.zeros(6, 5)
    for sentence in (0, 2):
        rows = sentences == sentence
        expected[rows] = 2.5 * gradient[rows] / scale / (gradient[rows] / scale).norm()
    assert_close(adversarial_perturbation(gradient, 2.5, 4, sentences), expected)


def test_rows_of_a_sentence_with_a_nan_are_left_alone():
    gradient = torch.ones(3, 2)
    gradient[1, 1] = float("nan")
    moved = adversarial_perturbation(gradient, 1.0, 2, torch.tensor([0, 1, 1]))
    assert_close(moved, torch.tensor([[0.5**0.5] * 2, [0.0, 0.0], [0.0, 0.0]]))
