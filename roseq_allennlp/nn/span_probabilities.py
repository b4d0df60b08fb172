"""Probabilities of spans of a linear chain: of exactly these tags over some tokens. Potentials and shapes as in `forward_backward`."""

import torch

from roseq_allennlp.nn.forward_backward import Potentials, backward_scores, forward_scores, log_sums, step_scores
from roseq_allennlp.nn.range_sums import range_sums


def span_probabilities(
    potentials: Potentials, mask: torch.Tensor, tags: torch.Tensor, spans: torch.Tensor
) -> torch.Tensor:
    """
    Exact probability that a path has exactly `tags` over the whole of a span, whatever it has outside, up to some
    roundings of log Z. Memory and time do not depend on how many tokens there are times how many spans.

    # Parameters

    tags : `(B, T)` int64, the path that the spans are cut out of
    spans : `(S, 3)` int64, rows `(sentence, start, end)` in tokens, end exclusive

    # Returns

    `(S,)`, in [0, 1]
    """
    alphas, betas, _ = log_sums(potentials, mask)
    return _span_log_probabilities(potentials, mask, tags, spans, alphas, betas).exp()


def span_log_likelihood(
    potentials: Potentials, mask: torch.Tensor, tags: torch.Tensor, spans: torch.Tensor, is_right: torch.Tensor
) -> torch.Tensor:
    """
    Log-likelihood of what is known of spans, summed over them: log p of those that are right, log(1 − p) of the others, where
    p is as of `span_probabilities`. It has a gradient, in float64.

    # Parameters

    is_right : `(S,)` bool
    """
    alphas, betas = forward_scores(potentials, mask), backward_scores(potentials, mask)
    logs = _span_log_probabilities(potentials, mask, tags, spans, alphas, betas)  # (S,)
    wrong = torch.log(-torch.expm1(logs.clamp(max=-torch.finfo(logs.dtype).eps)))  # (S,), finite where p rounds to 1
    return torch.where(is_right, logs, wrong).sum()


def _span_log_probabilities(
    potentials: Potentials,
    mask: torch.Tensor,
    tags: torch.Tensor,
    spans: torch.Tensor,
    alphas: torch.Tensor,
    betas: torch.Tensor,
) -> torch.Tensor:
    """`span_probabilities` in logarithms, from forward and backward scores."""
    sentence, start, last = spans[:, 0], spans[:, 1], spans[:, 2] - 1  # (S,)
    # (S,), of the steps within each span
    inside = range_sums(step_scores(potentials, tags, mask), sentence, start + 1, last - start)
    before, after = alphas[last, sentence], betas[last, sentence]  # (S, K)
    path = alphas[start, sentence, tags[sentence, start]] + inside + betas[last, sentence, tags[sentence, last]]
    # log Z as the last token has it: what rounding has added up on the way there and back is in both, and goes.
    return (path - torch.logsumexp(before + after, dim=1)).clamp(max=0.0)  # rounding may exceed 0 by 1e-7
