import json
import math
from types import SimpleNamespace

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.dataset_readers import WnutReader
from roseq_allennlp.models import LabelAwareCrfTagger
from roseq_allennlp.training.callbacks.finite_loss import FiniteLossCallback

CONFIG = "training_configs/fixture.jsonnet"
EPOCHS = json.dumps({"trainer.num_epochs": 3, "data_loader": {"type": "in_memory", "batch_size": 8}})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("call", [37, 38])  # after 17 batches, batch 2 of epoch 1: the clean pass, the adversarial one
def test_the_error_names_epoch_batch_and_sentences(value, call, monkeypatch, tmp_path):
    calls = []
    plain = LabelAwareCrfTagger._loss

    def loss(self, *args):
        calls.append(self.training)
        result = plain(self, *args)
        return result * value if self.training and sum(calls) == call else result

    monkeypatch.setattr(LabelAwareCrfTagger, "_loss", loss)
    with pytest.raises(ConfigurationError) as caught:
        train_model_from_file(CONFIG, tmp_path, overrides=EPOCHS)
    message = str(caught.value)
    assert message.startswith(f"{value} loss in epoch 1, batch 2. The last checkpoint stands: ")
    assert (
        "model_state_e1_b0.th. Lower the learning rate, or set `trainer.grad_norm`; or look at the batch's " in message
    )
    assert torch.load(tmp_path / "model_state_e1_b0.th")
    instances = WnutReader().read("fixtures/wnut17/wnut17train.conll")
    sentences = [" ".join(instance["metadata"]["words"]) for instance in instances]
    batch = message.split("sentences: ")[1].split(" | ")
    assert batch == sentences[8:16]

    monkeypatch.setattr(LabelAwareCrfTagger, "_loss", plain)
    train_model_from_file(CONFIG, tmp_path, overrides=EPOCHS, recover=True)
    assert json.loads((tmp_path / "metrics.json").read_text())["epoch"] == 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("training, scaler, refused", [(True, False, True), (False, False, False), (True, True, None)])
def test_which_losses_are_refused(value, training, scaler, refused):
    """No loss of development data; under a scaler, which leaves out its step, no infinite one."""

    class Model(torch.nn.Module):
        def forward(self, value):
            return {"loss": torch.tensor(value)}

    model = Model().train(training)
    trainer = SimpleNamespace(
        _pytorch_model=model,
        _scaler=object() if scaler else None,
        _checkpointer=None,
        _epochs_completed=0,
        _batches_in_epoch_completed=2,
    )
    FiniteLossCallback("").on_start(trainer)
    assert model(value=1.0)["loss"] == 1.0
    if refused or refused is None and math.isnan(value):
        with pytest.raises(
            ConfigurationError, match=f"^{value} loss in epoch 0, batch 3. There is no checkpoint yet. "
        ):
            model(value=value)
    else:
        assert not math.isfinite(model(value=value)["loss"])


def test_it_leaves_no_hook(tmp_path):
    model = train_model_from_file(CONFIG, tmp_path, overrides=json.dumps({"trainer.num_epochs": 1}))
    assert not model._forward_hooks
