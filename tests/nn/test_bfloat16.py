import pytest
import torch

from roseq_allennlp.nn import bfloat16


@pytest.mark.parametrize("onednn", [False, True])
@pytest.mark.parametrize("supported", [False, True])
def test_a_cpu_has_it_unless_onednn_has_not(monkeypatch, onednn, supported):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    assert bfloat16.cpu_has_bfloat16_lstm() == (supported or not onednn)
