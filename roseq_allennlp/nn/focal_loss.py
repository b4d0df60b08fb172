"""Focal loss over tags (eq. 11)."""

import torch

from roseq_allennlp.nn.half_precision import at_least_float32


def focal_loss(logits: torch.Tensor, targets: torch.Tensor, gamma: float) -> torch.Tensor:
    """
    −(1 − q)^γ log q for each token, q the softmax probability of the gold tag; computed in float32 or float64.

    # Parameters

    logits : `(..., K)` float
        Emissions before ζ: W h + b of eq. (7).
    targets : `(...)` int64
        Gold tag of each token.
    gamma : `float`
        Focusing parameter γ >= 0; 0 gives cross entropy.

    # Returns

    `(...)`, one loss for each token, padding included: the caller masks and sums.
    """
    logits = logits.to(at_least_float32(logits.dtype))  # (..., K)
    log_q = torch.log_softmax(logits, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (...)
    # The floor keeps the gradient of the power finite for γ < 1 as q reaches 1.
    miss = (-torch.expm1(log_q)).clamp(min=torch.finfo(log_q.dtype).tiny)
    return -(miss**gamma) * log_q
