"""
Forward passes with tensors that have the device of a GPU and no values (`FakeTensorMode`), so that tensors of two devices
that meet, and shapes that do not fit, are found on a machine without one. In the place of the LSTM, for which torch asks cuDNN,
is a product with its weights.
"""

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from roseq_allennlp.models import LabelAwareCrfTagger
from roseq_allennlp.modules.seq2seq_encoders import BidirectionalLstm


def on_fake_gpu(mode: FakeTensorMode, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: on_fake_gpu(mode, each) for name, each in value.items()}
    return mode.from_tensor(value).to("cuda") if isinstance(value, torch.Tensor) else value


def product(self: BidirectionalLstm, inputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (inputs @ self._module.weight_ih_l0.t())[:, :, : self.get_output_dim()]


@pytest.mark.parametrize("model", ["shipped", "ensemble"])
def test_tensors_stay_on_the_gpu(
    model: str, make_training: Any, ensemble: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training and tagging, with the probabilities of spans. (A backward pass asks for a driver.)"""
    monkeypatch.setattr(BidirectionalLstm, "_packed", product)
    # It looks at their values, once.
    monkeypatch.setattr(LabelAwareCrfTagger, "_check_label_weights", lambda self: None)
    training = make_training(torch.device("cpu"), False, {"model": ensemble} if model == "ensemble" else {})
    training.start()
    tagger, mode = training.model, FakeTensorMode()
    monkeypatch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
    with mode:
        tagger._apply(lambda tensor: on_fake_gpu(mode, tensor))
        batch = {name: value for name, value in training.batch.items() if name != "metadata"}
        batch = on_fake_gpu(mode, batch)
        assert tagger(**batch)["loss"].is_cuda
        output = tagger.eval()(batch["tokens"])
        emissions, mask, tags = (output[name] for name in ("emissions", "mask", "tags"))
        spans = torch.zeros(7, 3, dtype=torch.long, device="cuda")
        results = [
            tags,
            tagger.crf.marginals(emissions, mask),
            tagger.crf.span_probabilities(emissions, mask, tags, spans),
        ]
        assert [(result.is_cuda, result.shape) for result in results] == [
            (True, mask.shape),
            (True, emissions.shape),
            (True, (7,)),
        ]
