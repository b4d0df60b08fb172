"""The temperature of a linear chain: what its scores are divided by, so that probabilities are as often right as they say."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Union

import torch

from roseq_allennlp.nn.forward_backward import Potentials
from roseq_allennlp.nn.span_probabilities import span_log_likelihood, span_probabilities

_STEPS = 50


def tempered(potentials: Potentials, temperature: Union[float, torch.Tensor]) -> Potentials:
    """
    All scores divided by a positive number: the larger it is, the more equal are the paths. Where it is a scalar tensor, it
    has a gradient: an infinite score, which stays as it is, adds nothing to that.
    """
    if not isinstance(temperature, torch.Tensor) and temperature == 1:
        return potentials
    impossible = [scores.isneginf() for scores in potentials]
    return Potentials(
        *(
            (scores.masked_fill(where, 0.0) / temperature).masked_fill(where, -math.inf)
            for scores, where in zip(potentials, impossible, strict=True)
        )
    )


class ScoredSpans(NamedTuple):
    """
    What the probabilities of a batch's predicted spans are computed from, on the CPU.

    potentials : `Potentials`
        Of decoding, in float64, before any temperature.
    mask, tags : `(B, T)`
        The real tokens, and the best path.
    spans : `(S, 3)` int64
        Sentence, start and end (exclusive) of each predicted entity.
    is_right : `(S,)` bool
    """

    potentials: Potentials
    mask: torch.Tensor
    tags: torch.Tensor
    spans: torch.Tensor
    is_right: torch.Tensor

    def probabilities(self, temperature: float) -> torch.Tensor:
        """Of the spans, `(S,)` float64."""
        if not len(self.spans):
            return torch.zeros(0, dtype=torch.float64)
        return span_probabilities(tempered(self.potentials, temperature), self.mask, self.tags, self.spans)


def fit_temperature(batches: Sequence[ScoredSpans]) -> float:
    """
    Returns the temperature at which it is most likely that, of the predicted entities, those are right that are: the sum of
    log p of the right ones and log(1 − p) of the others is largest, where p is the exact probability of the span. By L-BFGS
    over its logarithm, in float64.

    # Raises

    `ValueError`: no entity is predicted, or all are right, or none is: then no temperature is the best.
    """
    batches = [batch for batch in batches if len(batch.spans)]
    total = sum(len(batch.spans) for batch in batches)
    right = sum(int(batch.is_right.sum()) for batch in batches)
    if right in (0, total):
        what = "no entity" if not total else f"{total:,} entities, all of them {'right' if right else 'wrong'}"
        raise ValueError(
            f"on these data the tagger predicts {what}, so no temperature can be fitted: it takes right and wrong ones. Give"
            " more development data."
        )
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logarithm], max_iter=_STEPS, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.zeros((), dtype=torch.float64)
        for potentials, mask, tags, spans, is_right in batches:
            scores = tempered(potentials, logarithm.exp())
            part = -span_log_likelihood(scores, mask, tags, spans, is_right) / total
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return float(logarithm.detach().exp())
