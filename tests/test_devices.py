"""
Stand-ins for a GPU. On the `meta` device tensors have no values: a branch on one, or a copy to the CPU, raises. Under
`FakeTensorMode` tensors say they are on `cuda`, and an operation on tensors of two devices raises.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.nn.util import move_to_device
from torch._subclasses.fake_tensor import FakeTensorMode

from roseq_allennlp.training.callbacks import adversarial


@pytest.fixture
def trainer(tmp_path: Path) -> Any:
    """Of the fixtures' config: word shapes and all three components. Its callbacks have started."""
    params = Params.from_file("training_configs/fixture.jsonnet")
    # It looks at the loss, where the trainer does so anyway.
    params["trainer"]["callbacks"] = [
        callback for callback in params["trainer"]["callbacks"] if callback["type"] != "finite_loss"
    ]
    for seed in ("random_seed", "numpy_seed", "pytorch_seed"):
        params.pop(seed, None)
    trainer = TrainModel.from_params(
        params=params, serialization_dir=str(tmp_path), local_rank=0, batch_weight_key=""
    ).trainer
    for callback in trainer._callbacks:
        callback.on_start(trainer)
    return trainer


def test_a_training_step_needs_no_values(trainer: Any) -> None:
    batch = next(iter(trainer.data_loader))
    model = trainer.model.to("meta").train()
    outputs = model(**move_to_device(batch, torch.device("meta")))
    assert [callback.on_backward(trainer, outputs, False) for callback in trainer._callbacks].count(True) == 1
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    without = {name for name, value in model.named_parameters() if value.requires_grad and value.grad is None}
    assert not without


@pytest.mark.parametrize("top_k", [1, 3])
def test_decoding_needs_no_values(trainer: Any, top_k: int) -> None:
    batch = move_to_device(next(iter(trainer.data_loader)), torch.device("meta"))
    model = trainer.model.to("meta").eval()
    model._top_k = top_k
    with torch.no_grad():
        outputs = model(tokens=batch["tokens"])
        spans = torch.zeros(7, 3, dtype=torch.long, device="meta")
        probabilities = model.crf.span_probabilities(outputs["emissions"], outputs["mask"], outputs["tags"], spans)
    assert outputs["tags"].shape == batch["tags"].shape and probabilities.shape == (7,)


def test_no_mixing_of_devices(trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adversarial pass is part of it; torch has no backward pass on `cuda` where there is no GPU."""
    monkeypatch.setattr(adversarial.AdversarialCallback, "_scaled_backward", lambda callback: lambda loss: None)
    real = next(iter(trainer.data_loader))
    model = trainer.model
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.backends.cudnn.flags(enabled=False):

        def to_cuda(value: Any) -> Any:
            return mode.from_tensor(value).to("cuda") if isinstance(value, torch.Tensor) else value

        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = torch.nn.Parameter(to_cuda(parameter.detach()), parameter.requires_grad)
            for name, buffer in module._buffers.items():
                module._buffers[name] = to_cuda(buffer)
        tokens = {name: {key: to_cuda(value) for key, value in ids.items()} for name, ids in real["tokens"].items()}
        model._checked_label_weights = True  # a look at the values, once a run
        outputs = trainer._pytorch_model.train()(tokens=tokens, tags=to_cuda(real["tags"]))
        callback = next(each for each in trainer._callbacks if isinstance(each, adversarial.AdversarialCallback))
        assert len(callback._outputs) == 4  # words, characters, and the shapes of both
        for output, _ in callback._outputs:
            output.grad = torch.ones_like(output)
        assert callback.on_backward(trainer, outputs, False)
        assert outputs["loss"].device.type == callback._loss._total.device.type == "cuda"
        decoded = model.eval()(tokens=tokens)
        spans = to_cuda(torch.zeros(7, 3, dtype=torch.long))
        found = model.crf.span_probabilities(decoded["emissions"], decoded["mask"], decoded["tags"], spans)
        assert decoded["tags"].device.type == found.device.type == "cuda"
        # The check is one: a table left on the CPU is found.
        model.crf.label_weights = mode.from_tensor(torch.ones(model.crf.num_tags))
        with pytest.raises(RuntimeError, match="cuda.*cpu|cpu.*cuda"):
            model(tokens=tokens)
