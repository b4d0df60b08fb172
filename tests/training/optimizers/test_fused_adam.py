import copy

import pytest
import torch
from allennlp.common import Params
from allennlp.training.optimizers import Optimizer
from torch.testing import assert_close


def run(kind, steps=12, state=None, start=None, **kwargs):
    """Parameters and optimizer state after some steps on a quadratic loss."""
    torch.manual_seed(2)
    parameters = [("table", torch.nn.Parameter(torch.randn(50, 6))), ("bias", torch.nn.Parameter(torch.randn(6)))]
    for (_, parameter), value in zip(parameters, start or [], strict=False):
        parameter.data.copy_(value)
    optimizer = Optimizer.from_params(Params({"type": kind, "lr": 0.05, **kwargs}), model_parameters=parameters)
    if state is not None:
        optimizer.load_state_dict(copy.deepcopy(state))
    for _ in range(steps):
        optimizer.zero_grad()
        sum(((value - 1) ** 2).sum() for _, value in parameters).backward()
        optimizer.step()
    return [value.detach().clone() for _, value in parameters], optimizer.state_dict()


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"weight_decay": 0.1},
        {"amsgrad": True},
        {"betas": (0.5, 0.9)},
        {"parameter_groups": [[["bias"], {"lr": 1e-3}]]},
    ],
    ids=str,
)
def test_the_steps_are_those_of_adam(kwargs):
    assert_close(run("fused_adam", **kwargs)[0], run("adam", **kwargs)[0], rtol=1e-5, atol=1e-6)


def test_goes_on_from_the_state_of_adam():
    start, state = run("adam", steps=5)
    expected, _ = run("adam", steps=4, state=state, start=start)
    assert_close(run("fused_adam", steps=4, state=state, start=start)[0], expected, rtol=1e-5, atol=1e-6)


def test_with_a_gradient_scaler():
    """As the trainer does it under mixed precision: gradients are unscaled before they are clipped; a bad step is left out."""
    found = []
    for kind in ("adam", "fused_adam"):
        torch.manual_seed(2)
        parameters = [("table", torch.nn.Parameter(torch.randn(5, 6)))]
        optimizer = Optimizer.from_params(Params({"type": kind, "lr": 0.05}), model_parameters=parameters)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        for step in range(6):
            optimizer.zero_grad()
            loss = ((parameters[0][1] - 1) ** 2).sum()
            scaler.scale(loss * (float("inf") if step == 2 else 1.0)).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_([parameters[0][1]], 1.0)
            scaler.step(optimizer)
            scaler.update()
        found.append(parameters[0][1].detach())
    assert torch.isfinite(found[0]).all()
    assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)
