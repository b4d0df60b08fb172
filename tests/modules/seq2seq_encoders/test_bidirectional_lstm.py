import pytest
import torch
from allennlp.common import Params
from allennlp.modules import Seq2SeqEncoder
from torch.testing import assert_close

from roseq_allennlp.modules.seq2seq_encoders import bidirectional_lstm
from roseq_allennlp.modules.seq2seq_encoders.bidirectional_lstm import BidirectionalLstm
from roseq_allennlp.nn import bfloat16


def pair(**kwargs):
    """Ours and AllenNLP's encoder with the same weights."""
    torch.manual_seed(3)
    sizes = {"input_size": 7, "hidden_size": 5, **kwargs}
    theirs = Seq2SeqEncoder.from_params(Params({"type": "lstm", "bidirectional": True, **sizes}))
    ours = Seq2SeqEncoder.from_params(Params({"type": "bidirectional_lstm", **sizes}))
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def batch(lengths, width=7):
    generator = torch.Generator().manual_seed(7)
    length = max(lengths) + 1  # one column of padding throughout
    return torch.randn(len(lengths), length, width, generator=generator), torch.arange(length) < torch.tensor(
        lengths
    ).unsqueeze(1)


def outputs_and_gradients(encoder, inputs, mask):
    inputs = inputs.clone().requires_grad_()
    outputs = encoder(inputs, mask)
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad((outputs * weights).sum(), [inputs, *encoder.parameters()])
    return outputs, *found


@pytest.mark.parametrize("lengths", [[1], [6], [4, 4, 4], [3, 9, 1, 5], [2, 0, 3]], ids=str)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cudnn", [False, True], ids=["", "as for cuDNN"])
def test_outputs_and_gradients_are_those_of_packed_input(lengths, num_layers, cudnn, monkeypatch):
    monkeypatch.setattr(bidirectional_lstm, "uses_cudnn", lambda inputs: cudnn)
    ours, theirs = pair(num_layers=num_layers)
    inputs, mask = batch(lengths)
    expected = outputs_and_gradients(theirs, inputs, mask)
    for found, wanted in zip(outputs_and_gradients(ours, inputs, mask), expected, strict=True):
        assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lengths", [[9], [3, 9, 1, 5]], ids=str)
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_some_steps_at_a_time_give_the_same(lengths, steps, monkeypatch):
    ours, _ = pair(num_layers=2)
    inputs, mask = batch(lengths)
    expected = ours(inputs, mask).detach()
    monkeypatch.setattr(bidirectional_lstm, "_STEPS", steps)
    calls, lstm = [], torch.lstm
    monkeypatch.setattr(torch, "lstm", lambda *args: calls.append(args[0].size(1)) or lstm(*args))
    with torch.inference_mode():
        assert_close(ours.eval()(inputs, mask), expected)
    assert max(calls) == steps and sum(calls) == 4 * inputs.size(1)  # of two layers and directions
    calls.clear()
    assert_close(ours(inputs, mask), expected)
    assert set(calls) == {inputs.size(1)}  # with gradients


def test_float64_stays_float64():
    ours, theirs = pair()
    inputs, mask = batch([3, 1, 5])
    assert_close(ours.double()(inputs.double(), mask), theirs.double()(inputs.double(), mask), rtol=0, atol=1e-12)


class OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU: the batch is packed then, which torch can do on the CPU too."""

    is_cuda = True


@pytest.mark.parametrize("lengths", [[1], [4, 4, 4], [3, 9, 1, 5], [2, 0, 3]], ids=str)
def test_what_is_packed_for_a_gpu(lengths):
    ours, _ = pair(num_layers=2)
    inputs, mask = batch(lengths)
    packed = ours(inputs.as_subclass(OnGpu), mask)
    assert_close(packed.as_subclass(torch.Tensor), ours(inputs, mask), rtol=1e-5, atol=1e-5)


def test_sizes_of_the_configs():
    ours, theirs = pair(input_size=160, hidden_size=100)
    inputs, mask = batch([40, 3, 17, 25, 1, 39], 160)
    assert (ours.get_input_dim(), ours.get_output_dim(), ours.is_bidirectional()) == (160, 200, True)
    expected = outputs_and_gradients(theirs, inputs, mask)
    for found, wanted in zip(outputs_and_gradients(ours, inputs, mask), expected, strict=True):
        assert_close(found, wanted, rtol=1e-5, atol=1e-5 * max(1.0, wanted.abs().max().item()))


def test_padding_has_no_say_and_is_zero():
    ours, _ = pair()
    inputs, mask = batch([3, 6])
    other = torch.where(mask.unsqueeze(2), inputs, 1e6)
    assert_close(ours(other, mask), ours(inputs, mask), rtol=0, atol=0)
    assert (ours(other, mask)[~mask] == 0).all()


def test_dropout_between_layers_in_training_only():
    ours, theirs = pair(num_layers=2, dropout=0.6)
    inputs, mask = batch([5, 2])
    assert not torch.equal(ours(inputs, mask), ours(inputs, mask))
    assert_close(ours.eval()(inputs, mask), theirs.eval()(inputs, mask))


def test_bfloat16_autocast():
    ours, _ = pair()
    inputs, mask = batch([5, 2])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        low = ours(inputs, mask)
    assert_close(low.float(), ours(inputs, mask), rtol=0, atol=0.02)


def test_bfloat16_autocast_on_a_cpu_without_it(monkeypatch):
    monkeypatch.setattr(bfloat16, "cpu_has_bfloat16_lstm", lambda: False)
    ours, _ = pair()
    inputs, mask = batch([5, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ours(inputs, mask)
        assert ours(inputs.bfloat16(), mask).dtype == torch.float32
    assert_close(found, ours(inputs, mask), rtol=0, atol=0)
    found.sum().backward()


def test_no_step_needs_the_values():
    ours = BidirectionalLstm(7, 5, 2).to("meta")
    inputs, mask = (tensor.to("meta") for tensor in batch([5, 2]))
    outputs = ours(inputs.requires_grad_(), mask)
    outputs.sum().backward()
    assert outputs.shape == (2, 6, 10) and inputs.grad.shape == inputs.shape
