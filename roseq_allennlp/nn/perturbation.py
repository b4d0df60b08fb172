"""Adversarial perturbation of a layer's output (eqs. 13 and 14)."""

from typing import Optional

import torch

from roseq_allennlp.nn.half_precision import at_least_float32


def adversarial_perturbation(
    gradient: torch.Tensor, epsilon: float, num_sentences: int, sentences: Optional[torch.Tensor] = None
) -> torch.Tensor:
    """
    η = ε g / ‖g‖₂, the norm over all entries of one sentence: the step of length ε along which the loss grows fastest,
    eq. (13) linearised.

    # Parameters

    gradient : `(B, ...)` or `(B * m, ...)`, sentences outermost; with `sentences`, `(R, D)`
        g, the gradient of the loss with respect to the layer's output, at any scale (a `GradScaler`'s too).
    epsilon : `float`
        Length of the step, in the unit of the layer's vectors.
    num_sentences : `int`
        B.
    sentences : `(R,)` int64, optional
        Index of the sentence that each row of `gradient` belongs to.

    # Returns

    η in the shape and type of `gradient`; 0 for a sentence whose gradient is zero or not finite.
    """
    flat = gradient.reshape(num_sentences, -1) if sentences is None else gradient  # (B, entries) or (R, D)
    flat = flat.to(at_least_float32(flat.dtype))
    tiny = torch.finfo(flat.dtype).tiny
    # Divided by the largest entry first, so that squares of very small or large entries stay in range.
    largest = flat.abs().amax(dim=1, keepdim=True)  # (B, 1) or (R, 1)
    if sentences is not None:
        per_sentence = largest.new_zeros(num_sentences)  # (B,)
        largest = per_sentence.scatter_reduce(0, sentences, largest.squeeze(1), "amax")[sentences].unsqueeze(1)
    unit = flat / largest.clamp(min=tiny)
    if sentences is None:
        norm = torch.linalg.vector_norm(unit, dim=1, keepdim=True)  # (B, 1)
    else:
        norm = per_sentence.index_add(0, sentences, unit.square().sum(dim=1)).sqrt()[sentences].unsqueeze(1)
    unit = unit / norm.clamp(min=tiny)  # (B, entries) or (R, D)
    return (epsilon * torch.nan_to_num(unit, nan=0.0)).view_as(gradient).to(gradient.dtype)
