"""
What the tests here share. Each runs on the CPU, where its code is rehearsed with every choice made as on a GPU, and,
marked `gpu`, on a GPU.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params

from roseq_allennlp.modules.seq2seq_encoders import bidirectional_lstm
from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway
from roseq_allennlp.nn import forward_backward

CONFIG = "training_configs/fixture.jsonnet"
GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=GPU)])
def device(request: Any, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """With float32 in full: cuDNN rounds what convolutions and LSTMs multiply to TF32, 10 bits, unless told not to."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return torch.device(request.param)


@pytest.fixture
def as_on_a_gpu() -> Callable[[], Any]:
    """A context in which the ways that the package takes on a GPU only are taken on the CPU too."""

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CharCnnHighway, "_without_padding", CharCnnHighway._with_padding)
            patch.setattr(forward_backward, "_messages", lambda potentials, mask: None)
            patch.setattr(forward_backward, "_partial", lambda tags, mask: torch.arange(len(tags)).to(tags.device))
            patch.setattr(forward_backward, "may_have_unknown", lambda tags: True)
            patch.setattr(bidirectional_lstm, "uses_cudnn", lambda inputs: not inputs.is_meta)
            yield

    return context


@pytest.fixture
def ensemble() -> dict[str, Any]:
    """The config of two taggers side by side."""
    return {"type": "tagger_ensemble", "size": 2, "member": Params.from_file(CONFIG)["model"].as_dict()}


class Training:
    """
    AllenNLP's trainer of the fixtures' config on a device: word shapes, all three components, `fused_adam`. No dropout,
    whose random numbers differ between devices, and no `finite_loss`, which looks at each loss, as the trainer does.
    """

    def __init__(self, directory: Path, device: torch.device, adversarial: bool, overrides: dict[str, Any]) -> None:
        self.device = device
        params = Params.from_file(CONFIG, json.dumps(overrides))
        callbacks = [{"type": "label_statistics"}] + [{"type": "adversarial", "epsilon": 5.0}] * adversarial
        params["data_loader"]["shuffle"] = False
        params["trainer"] = params.pop("trainer").as_dict() | {
            "cuda_device": 0 if device.type == "cuda" else -1,
            "callbacks": callbacks,
            "run_confidence_checks": False,
            "num_epochs": 1,
            "validation_metric": "-loss",
        }
        for name in ("validation_data_path", "validation_data_loader", "random_seed", "numpy_seed", "pytorch_seed"):
            params.pop(name)
        torch.manual_seed(5)
        self.trainer: Any = TrainModel.from_params(
            params=params, serialization_dir=str(directory), local_rank=0, batch_weight_key=""
        ).trainer
        self.model = self.trainer.model
        for module in self.model.modules():
            if hasattr(module, "_embedding_dropout"):
                module._embedding_dropout = module._dropout = 0.0

    def start(self) -> None:
        """Calls the callbacks and draws the first batch."""
        for callback in self.trainer._callbacks:
            callback.on_start(self.trainer)
        self.trainer._pytorch_model.train()
        self.batch = next(iter(self.trainer.data_loader))

    def backward(self) -> torch.Tensor:
        """The passes of a step over the batch as the trainer does them, but for its own looks at the loss. Returns it."""
        trainer = self.trainer
        trainer.optimizer.zero_grad()
        with torch.autocast("cuda", enabled=trainer._use_amp):
            outputs = trainer.batch_outputs(self.batch, for_training=True)
        called = False
        for callback in trainer._callbacks:
            called |= callback.on_backward(trainer, outputs, called)
        if not called:
            loss = outputs["loss"]
            (loss if trainer._scaler is None else trainer._scaler.scale(loss)).backward()
        return outputs["loss"].detach()


@pytest.fixture
def make_training(tmp_path: Path) -> Callable[..., Training]:
    number = 0

    def make(device: torch.device, adversarial: bool = True, overrides: Optional[dict[str, Any]] = None) -> Training:
        nonlocal number
        number += 1
        return Training(tmp_path / str(number), device, adversarial, overrides or {})

    return make
