import pytest
import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.training.learning_rate_schedulers import LinearWarmup


def optimizer() -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 0.1)]
    return torch.optim.SGD(groups)


def rates(scheduler, steps: range) -> list[float]:
    """The learning rates of the two groups at the optimizer's steps, as the trainer has them."""
    result = []
    for step in steps:
        scheduler.step_batch(step + 1)
        first, second = (group["lr"] for group in scheduler.optimizer.param_groups)
        assert second == pytest.approx(first / 10)
        result.append(first)
        if (step + 1) % 5 == 0:
            scheduler.step(0.5)
            assert scheduler.optimizer.param_groups[0]["lr"] == first
    return result


def test_it_rises_and_falls_in_straight_lines() -> None:
    actual = rates(LinearWarmup(optimizer(), num_epochs=4, num_steps_per_epoch=5, warmup=0.2), range(20))
    expected = [0.25, 0.5, 0.75, 1.0] + [(16 - step) / 16 for step in range(16)]
    assert actual == pytest.approx(expected)


def test_without_warmup_and_beyond_the_end() -> None:
    actual = rates(LinearWarmup(optimizer(), num_epochs=1, num_steps_per_epoch=4, warmup=0.0), range(6))
    assert actual == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0, 0.0])


def test_an_epoch_of_two_passes() -> None:
    twice = LinearWarmup(optimizer(), num_epochs=2, num_steps_per_epoch=5, passes=2)
    assert rates(twice, range(20)) == rates(LinearWarmup(optimizer(), 4, 5), range(20))


def test_it_goes_on_from_its_state() -> None:
    whole = LinearWarmup(optimizer(), 4, 5)
    expected = rates(whole, range(20))
    stopped, recovered = LinearWarmup(optimizer(), 4, 5), LinearWarmup(optimizer(), 4, 5)
    rates(stopped, range(7))
    recovered.load_state_dict(stopped.state_dict())
    assert rates(recovered, range(7, 20)) == expected[7:]


@pytest.mark.parametrize("options", [{"warmup": 1.0}, {"warmup": -0.1}, {"passes": 0}])
def test_numbers_are_checked(options) -> None:
    with pytest.raises(ConfigurationError, match="`warmup` is a share"):
        LinearWarmup(optimizer(), 4, 5, **options)


def test_the_length_of_an_epoch_must_be_known() -> None:
    with pytest.raises(ConfigurationError, match="how many batches an epoch has"):
        LinearWarmup(optimizer(), 4, None)
