"""What the tagger has to compute for a token, from its sizes, and what the machine can compute in a second."""

import time
from typing import Any

import torch

from benchmarks.measure import synchronise

# How often a row computes the forward pass's operations, by the row's name. A backward pass is two products for each
# of the forward pass, one for the input and one for the weights; the adversarial passes are as much again.
PASSES = {"tagging": 1, "training, plain": 3, "training, LACRF + FL + AT": 6}


def account(config: dict[str, Any], num_tags: int, words: list[str]) -> dict[str, float]:
    """
    Floating point operations of a forward pass for a token, by part, a multiplication and an addition counted as two.
    Characters are those of `words`, each word computed once for each time it stands there; look-ups, activations
    and dropout are left out.

    # Parameters

    config : `Dict[str, Any]`
        Of a `label_aware_crf_tagger`.
    num_tags : `int`
    words : `List[str]`
        The tokens of the data.
    """
    model = config["model"]
    characters = model["text_field_embedder"]["token_embedders"]["token_characters"]
    encoder, fusion = model["encoder"], model["fusion"]
    filters, widths = characters["num_filters"], characters["filter_widths"]
    channels = characters["embedding_dim"] + characters.get("orthographic_dim", 0)
    longest = characters.get("max_word_length", max(map(len, words)))
    windows = 0.0  # multiplied by the characters in each, of a mean word
    for width in widths:
        windows += width * sum(max(min(len(word), longest), max(widths)) - width + 1 for word in words) / len(words)
    features = filters * len(widths)
    hidden = encoder["hidden_size"]
    parts = {
        "character CNN": 2 * windows * channels * filters,
        "highway": 2 * characters.get("num_highway_layers", 2) * features * 2 * features,
        "BiLSTM": 2 * 2 * 4 * hidden * (encoder["input_size"] + hidden),
        "fusion": 2 * fusion["input_dim"] * fusion["hidden_dims"],
        "emissions": 2 * fusion["hidden_dims"] * num_tags,
        "CRF": 2 * num_tags * num_tags,  # a sum and a logsumexp or maximum of each transition
    }
    return {name: round(value) for name, value in parts.items()}


def peak_gflops(device: torch.device, tries: int = 30) -> float:
    """The best of several products of two square float32 matrices, in 10⁹ operations a second."""
    size = 1024 if device.type == "cpu" else 8192  # large enough to be worth the start
    left, right = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    best = float("inf")
    for _ in range(tries):
        synchronise(device)
        start = time.perf_counter()
        left @ right
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9
