"""Training steps on the device: mixed precision, what they wait for, what they leave in memory."""

import gc
from typing import Any

import pytest
import torch
from allennlp.nn.util import move_to_device

from roseq_allennlp.modules.seq2seq_encoders import bidirectional_lstm

ADVERSARIAL = pytest.mark.parametrize("adversarial", [False, True], ids=["plain", "adversarial"])
PRECISIONS = ["float16", "bfloat16"]


def in_precision(training: Any, precision: str, scale: float = 2.0**8) -> None:
    """
    float16 is the trainer's `use_amp`, with its scaler. The trainer has no bfloat16: there the model's own forward pass
    is under autocast, as it is for float16 on a CPU, for which the trainer has no AMP.
    """
    if precision == "float16":
        training.trainer._scaler = torch.amp.GradScaler(training.device.type, init_scale=scale)
        training.trainer._use_amp = training.device.type == "cuda"
    if not training.trainer._use_amp:
        training.model.forward = torch.autocast(training.device.type, torch.bfloat16)(training.model.forward)


def weights(training: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in training.model.named_parameters() if value.requires_grad}


def train(training: Any) -> list[float]:
    """The clean loss of each step of an epoch."""
    losses: list[float] = []

    def note(model: Any, args: Any, output: Any) -> None:
        assert output["loss"].dtype == torch.float32
        losses.append(float(output["loss"].detach()))

    training.model.register_forward_hook(note)
    training.trainer.train()
    adversarial = len(training.trainer._callbacks) > 1 and "adversarial" in str(training.trainer._callbacks)
    return losses[:: 2 if adversarial else 1]


@ADVERSARIAL
@pytest.mark.parametrize("precision", PRECISIONS)
def test_three_steps_in_mixed_precision(
    precision: str, adversarial: bool, device: torch.device, make_training: Any, as_on_a_gpu: Any
) -> None:
    """They lower the loss as three steps in float32 do, and end near where those end."""
    three = {"data_loader.batches_per_epoch": 3, "trainer.optimizer.lr": 0.01}
    low, full = (make_training(device, adversarial, three) for _ in range(2))
    in_precision(low, precision)
    before = weights(low)
    with as_on_a_gpu():
        losses, expected = train(low), train(full)
    assert len(losses) == 3
    assert losses == pytest.approx(expected, rel=0.05)
    assert losses != expected  # the precision is another
    moved, wanted = (
        torch.cat([(after[name] - before[name]).flatten() for name in before]) for after in map(weights, (low, full))
    )
    assert moved.isfinite().all()
    assert torch.cosine_similarity(moved, wanted, dim=0) > 0.9
    if precision == "float16":
        assert low.trainer._scaler.get_scale() == 2.0**8  # no step was left out


@ADVERSARIAL
def test_a_step_that_is_left_out(adversarial: bool, device: torch.device, make_training: Any, as_on_a_gpu: Any) -> None:
    """No gradient is finite under this scale: weights and Adam's count stay, and the next step has half of it."""
    training = make_training(device, adversarial, {"data_loader.batches_per_epoch": 1})
    in_precision(training, "float16", scale=2.0**127)
    before = weights(training)
    with as_on_a_gpu():
        train(training)
    assert training.trainer._scaler.get_scale() == 2.0**126
    assert all(torch.equal(value, before[name]) for name, value in weights(training).items())
    assert all(float(state["step"]) == 0 for state in training.trainer.optimizer.state.values())


@ADVERSARIAL
@pytest.mark.parametrize("model", ["shipped", "ensemble"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_step_waits_for_lengths_only(
    precision: str,
    model: str,
    adversarial: bool,
    device: torch.device,
    make_training: Any,
    ensemble: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Forward and backward passes, clipping and the optimiser. What they wait for is the encoder's sentence lengths, once a
    forward pass; beside it the trainer and `finite_loss` look at the loss, and the trainer at the norm of the gradient.
    Without a GPU: on the meta device, whose tensors have no values to wait for, and no lengths.
    """
    if device.type == "cpu" and precision == "float16":
        pytest.skip("a GradScaler has nothing to scale on the meta device")
    training = make_training(device, adversarial, {"model": ensemble} if model == "ensemble" else {})
    training.start()
    if device.type == "cpu":
        training.model.to("meta")
        training.batch = move_to_device(training.batch, torch.device("meta"))
    elif precision == "float16":
        in_precision(training, precision)
    waits = []
    plain = bidirectional_lstm.on_cpu

    def named(lengths: torch.Tensor) -> torch.Tensor:
        waits.append(lengths.shape)
        with waiting(device, allowed=True):
            return plain(lengths)

    def step() -> None:
        training.backward()
        torch.nn.utils.clip_grad_norm_(training.model.parameters(), 5.0)
        if device.type == "cuda":
            training.trainer.optimizer.step()

    monkeypatch.setattr(bidirectional_lstm, "on_cpu", named)
    if device.type == "cuda":
        step()  # the first one looks at the label weights, and sets up cuDNN
    waits.clear()
    with waiting(device, allowed=False):
        step()
    passes = (1 + adversarial) * (ensemble["size"] if model == "ensemble" else 1)
    assert len(waits) == (passes if device.type == "cuda" else 0)
    with waiting(device, allowed=False), pytest.raises(RuntimeError):  # the ban is one
        next(training.model.parameters()).sum().item()


class waiting:
    """Whether Python may wait for the device; before it ends what was allowed before is again."""

    def __init__(self, device: torch.device, allowed: bool) -> None:
        self._cuda, self._mode = device.type == "cuda", 0 if allowed else "error"

    def __enter__(self) -> None:
        if self._cuda:
            self._before = torch.cuda.get_sync_debug_mode()
            torch.cuda.set_sync_debug_mode(self._mode)

    def __exit__(self, *error: Any) -> None:
        if self._cuda:
            torch.cuda.set_sync_debug_mode(self._before)


def requested_memory() -> int:
    """Bytes. What is allocated is more, by as much as an earlier tensor in the same place was larger."""
    torch.cuda.synchronize()
    return int(torch.cuda.memory_stats()["requested_bytes.all.current"])


@ADVERSARIAL
def test_memory_after_fifty_steps(
    adversarial: bool, device: torch.device, make_training: Any, as_on_a_gpu: Any
) -> None:
    """Not one tensor more than after five."""
    training = make_training(device, adversarial)
    training.start()
    with as_on_a_gpu():
        used = []
        for steps in (5, 50):
            for _ in range(steps):
                training.backward()
                training.trainer.optimizer.step()
            gc.collect()
            tensors = sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())
            used.append((tensors, requested_memory() if device.type == "cuda" else 0))
    assert used[1] == used[0]
