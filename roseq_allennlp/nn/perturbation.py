"""Adversarial perturbation of a layer's output (eqs. 13 and 14)."""

from typing import Optional

import torch

from roseq_allennlp.nn.half_precision import at_least_float32

NORMS = ("sentence", "token", "channel")


def adversarial_perturbation(
    gradient: torch.Tensor,
    epsilon: float,
    num_sentences: int,
    sentences: Optional[torch.Tensor] = None,
    norm: str = "sentence",
) -> torch.Tensor:
    """
    η = ε g / ‖g‖₂: the step of length ε along which the loss grows fastest, eq. (13) linearised.

    # Parameters

    gradient : `(B, ..., D)` or `(B * m, ..., D)`, sentences outermost; with `sentences`, `(R, ..., D)`
        g, the gradient of the loss with respect to the layer's output, at any scale (a `GradScaler`'s too).
    epsilon : `float`
        Length of the step, in the unit of the layer's vectors.
    num_sentences : `int`
        B.
    sentences : `(R,)` int64, optional
        Index of the sentence that each row of `gradient` belongs to.
    norm : `str`, optional (default = `"sentence"`)
        What ‖g‖₂ is over, and so what moves by ε: all entries of a sentence; `"token"`, each vector; or `"channel"`, each of
        the D entries of the vectors over a sentence.

    # Returns

    η in the shape and type of `gradient`; 0 where g is zero or not finite within what the norm is over.
    """
    # (rows, entries that a norm is over, norms)
    if norm == "token":
        parts, sentences = gradient.reshape(-1, gradient.size(-1), 1), None
    else:
        rows = num_sentences if sentences is None else gradient.size(0)
        parts = gradient.reshape(rows, -1, gradient.size(-1) if norm == "channel" else 1)
    parts = parts.to(at_least_float32(parts.dtype))
    tiny = torch.finfo(parts.dtype).tiny
    # Divided by the largest entry first, so that squares of very small or large entries stay in range.
    largest = parts.abs().amax(dim=1)  # (rows, norms)
    if sentences is not None:
        per_sentence = largest.new_zeros(num_sentences, largest.size(1))
        index = sentences.unsqueeze(1).expand_as(largest)
        largest = per_sentence.scatter_reduce(0, index, largest, "amax")[sentences]
    unit = parts / largest.clamp(min=tiny).unsqueeze(1)
    if sentences is None:
        length = torch.linalg.vector_norm(unit, dim=1)  # (rows, norms)
    else:
        length = per_sentence.index_add(0, sentences, unit.square().sum(dim=1)).sqrt()[sentences]
    unit = unit / length.clamp(min=tiny).unsqueeze(1)
    return (epsilon * torch.nan_to_num(unit, nan=0.0)).view_as(gradient).to(gradient.dtype)
