import json

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler

from roseq_allennlp.training.learning_rate_schedulers.inverse_time_decay import InverseTimeDecay


def make(*rates, **kwargs):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    optimizer = torch.optim.Adam(groups)
    scheduler = LearningRateScheduler.from_params(Params({"type": "inverse_time_decay", **kwargs}), optimizer=optimizer)
    assert isinstance(scheduler, InverseTimeDecay)
    return optimizer, scheduler


def rates_by_epoch(optimizer, scheduler, epochs):
    """The rates each epoch runs with, as the trainer does it: a step at the end of each epoch, none per batch."""
    rates = []
    for _ in range(epochs):
        rates.append([group["lr"] for group in optimizer.param_groups])
        scheduler.step_batch(1)
        scheduler.step()
    return rates


def test_epochs_by_hand():
    rates = rates_by_epoch(*make(0.001), 5)  # ρ = 0.05
    expected = [0.001, 0.001 / 1.05, 0.001 / 1.10, 0.001 / 1.15, 0.001 / 1.20]
    assert [rate for (rate,) in rates] == pytest.approx(expected, rel=1e-12)


def test_default_floor():
    rates = [rate for (rate,) in rates_by_epoch(*make(0.001), 190)]
    assert rates[179] == pytest.approx(0.001 / 9.95) and rates[179] > 1e-4
    assert rates[181:] == [1e-4] * 9  # 1 + 0.05 · 180 = 10


def test_each_group_decays_from_its_own_rate():
    rates = rates_by_epoch(*make(0.01, 0.5, decay_rate=1.0, min_lr=0.004), 4)
    assert rates == [pytest.approx(pair) for pair in [(0.01, 0.5), (0.005, 0.25), (0.004, 0.5 / 3), (0.004, 0.125)]]


def test_no_decay():
    assert rates_by_epoch(*make(0.01, decay_rate=0.0, min_lr=0.0), 3) == [[0.01]] * 3


def test_state_can_be_saved_and_resumed():
    expected = rates_by_epoch(*make(0.01, 0.5, decay_rate=0.3), 6)
    optimizer, scheduler = make(0.01, 0.5, decay_rate=0.3)
    rates_by_epoch(optimizer, scheduler, 3)
    # JSON keeps plain numbers, strings and lists alone.
    state = json.loads(json.dumps(scheduler.state_dict()))
    assert state == scheduler.state_dict()
    resumed_optimizer, resumed = make(0.01, 0.5)
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(state)
    assert rates_by_epoch(resumed_optimizer, resumed, 3) == expected[3:]


@pytest.mark.parametrize("kwargs", [{"decay_rate": -0.1}, {"min_lr": -1e-9}])
def test_negative_settings(kwargs):
    with pytest.raises(ConfigurationError, match=f"got .*{next(iter(kwargs.values()))}"):
        make(0.001, **kwargs)
