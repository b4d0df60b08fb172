"""The same inputs on the CPU in float64 and on the device in float32: values and gradients to 1e-4."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from allennlp.data import Vocabulary
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions
from torch.testing import assert_close

import roseq_allennlp
from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.modules.seq2seq_encoders.bidirectional_lstm import BidirectionalLstm
from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway
from roseq_allennlp.nn.focal_loss import focal_loss
from roseq_allennlp.nn.forward_backward import UNKNOWN

LENGTHS = [40, 1, 17, 39, 5]
MASK = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
LABELS = ["O"] + [f"{prefix}-{label}" for label in ("LOC", "PER") for prefix in "BILU"]
Found = dict[str, torch.Tensor]


def scores(*sizes: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_gradients(outputs: Found, inputs: Found) -> Found:
    """Of sums that weigh each output's entries differently."""
    total = sum(
        (value * scores(*value.shape, seed=2).to(value)).sum() for value in outputs.values() if value.requires_grad
    )
    found = torch.autograd.grad(total, list(inputs.values()))
    return outputs | {f"gradient of {name}": gradient for name, gradient in zip(inputs, found, strict=True)}


def crf(start_end: bool, device: torch.device, dtype: torch.dtype) -> Found:
    torch.manual_seed(3)
    module = ConditionalRandomField(len(LABELS), allowed_transitions("BIOUL", dict(enumerate(LABELS))), start_end)
    module.label_weights.copy_(torch.linspace(1.0, 2.5, len(LABELS)))
    module.to(device, dtype)
    emissions = scores(*MASK.shape, len(LABELS)).mul(2).to(device, dtype).requires_grad_()
    tags = torch.randint(len(LABELS), MASK.shape, generator=torch.Generator().manual_seed(4)).to(device)
    mask = MASK.to(device)
    spans = torch.tensor([[0, 3, 5], [1, 0, 1], [3, 30, 39], [2, 0, 17]], device=device)
    best, score = module.decode(emissions, mask)
    ranked, ranked_scores = module.decode(emissions, mask, 3)
    hidden = (torch.rand(MASK.shape, generator=torch.Generator().manual_seed(5)) < 0.5).to(device)
    hidden[4] = True
    found = with_gradients(
        {
            "log-likelihood": module(emissions, tags, mask),
            "log-likelihood of partly known tags": module(emissions, tags.masked_fill(hidden, UNKNOWN), mask),
        },
        {"emissions": emissions, **dict(module.named_parameters())},
    )
    return found | {
        "log Z": module.log_partition(emissions, mask),
        "marginals": module.marginals(emissions, mask),
        "best path": best,
        "its score": score,
        "3 best paths": ranked,
        "their scores": ranked_scores[LENGTHS.index(40)],  # a sentence of one token has fewer than 3
        "probabilities of spans": module.span_probabilities(emissions, mask, best[:, 0], spans),
    }


def focal(gamma: float, device: torch.device, dtype: torch.dtype) -> Found:
    logits = scores(*MASK.shape, 9).mul(4).to(device, dtype).requires_grad_()
    tags = torch.randint(9, MASK.shape, generator=torch.Generator().manual_seed(4)).to(device)
    return with_gradients({"loss": focal_loss(logits, tags, gamma)}, {"logits": logits})


def encoder(num_layers: int, device: torch.device, dtype: torch.dtype) -> Found:
    torch.manual_seed(3)
    module = BidirectionalLstm(30, 20, num_layers).to(device, dtype)
    inputs = scores(*MASK.shape, 30).to(device, dtype).requires_grad_()
    outputs = module(inputs, MASK.to(device))
    return with_gradients({"outputs": outputs}, {"inputs": inputs, **dict(module.named_parameters())})


def char_cnn(shapes: bool, device: torch.device, dtype: torch.dtype) -> Found:
    torch.manual_seed(3)
    vocab = Vocabulary(tokens_to_add={"token_characters": list("abcdefgh"), "orthographic_characters": list("Ccnp")})
    module = CharCnnHighway(vocab, max_word_length=12, orthographic_dim=5 if shapes else None).to(device, dtype)
    generator = torch.Generator().manual_seed(4)
    lengths = torch.randint(1, 15, MASK.shape, generator=generator) * MASK  # 0 at padding
    real = torch.arange(15) < lengths.unsqueeze(2)
    characters, kinds = (torch.randint(1, top, real.shape, generator=generator) * real for top in (10, 6))
    inputs = [characters.to(device), kinds.to(device)][: 1 + shapes]
    return with_gradients({"features": module(*inputs)}, dict(module.named_parameters()))


CASES: dict[str, Callable[[torch.device, torch.dtype], Found]] = {
    "crf": partial(crf, False),
    "crf, start and end": partial(crf, True),
    "focal loss": partial(focal, 2.0),
    "focal loss, flat": partial(focal, 0.5),
    "encoder": partial(encoder, 1),
    "encoder of two layers": partial(encoder, 2),
    "char-CNN": partial(char_cnn, False),
    "char-CNN with shapes": partial(char_cnn, True),
}


def agree(found: Found, expected: Found) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # An entry is a sum of many: what counts is its size beside the tensor's largest.
        value, actual = value.detach(), found[name].detach().cpu().to(value.dtype)
        largest = float(value.abs().max())
        assert_close(actual, value, rtol=1e-4, atol=1e-4 * largest, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("case", CASES)
def test_parts(case: str, device: torch.device, as_on_a_gpu: Any) -> None:
    expected = CASES[case](torch.device("cpu"), torch.float64)
    with as_on_a_gpu():
        found = CASES[case](device, torch.float32)
    assert all(value.device.type == device.type for value in found.values())
    agree(found, expected)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"model.text_field_embedder.token_embedders.tokens.type": "embedding"},
        {"model.focal_reduction": "token_mean", "model.include_start_end_transitions": True},
        "ensemble",
    ],
    ids=["shipped", "trainable vectors", "token mean", "ensemble"],
)
@pytest.mark.parametrize("adversarial", [False, True], ids=["", "adversarial"])
def test_model(
    adversarial: bool, overrides: Any, device: torch.device, make_training: Any, ensemble: Any, as_on_a_gpu: Any
) -> None:
    """The whole tagger's loss, scores and gradients, those of the adversarial passes too."""

    def run(training: Any) -> Found:
        training.start()
        found = {"loss": training.backward()}
        found |= {f"gradient of {name}": p.grad for name, p in training.model.named_parameters() if p.requires_grad}
        training.model.eval()
        with torch.no_grad():
            decoded = training.model(tokens=training.batch["tokens"])
        return found | {name: decoded[name] for name in ("emissions", "tags")}

    if overrides == "ensemble":
        overrides = {"model": ensemble}
    reference = make_training(torch.device("cpu"), adversarial, overrides)
    tested = make_training(device, adversarial, overrides)
    tested.model.load_state_dict(reference.model.state_dict())
    reference.model.double()
    expected = run(reference)
    with as_on_a_gpu():
        found = run(tested)
    assert len(found) > 10 and found["loss"].device.type == device.type
    agree(found, expected)


@pytest.mark.parametrize("bfloat16", [False, True], ids=["", "bfloat16"])
def test_predictions_of_an_archive(bfloat16: bool, device: torch.device, archive_path: Any, as_on_a_gpu: Any) -> None:
    sentences = [json.loads(line)["sentence"] for line in open("fixtures/sentences.jsonl", encoding="utf-8")]
    number = 0 if device.type == "cuda" else -1
    expected = list(roseq_allennlp.load(archive_path).tag_many(sentences))
    with as_on_a_gpu():
        found = list(roseq_allennlp.load(archive_path, number, bfloat16=bfloat16).tag_many(sentences))
    assert [answer["tags"] for answer in found] == [answer["tags"] for answer in expected]
    assert any(answer["entities"] for answer in found)
    for answer, wanted in zip(found, expected, strict=True):
        for entity, other in zip(answer["entities"], wanted["entities"], strict=True):
            assert entity["probability"] == pytest.approx(other["probability"], abs=0.05 if bfloat16 else 1e-4)
