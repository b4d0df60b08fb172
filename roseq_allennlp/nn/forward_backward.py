"""
Sums over the tag paths of a linear chain: path scores, log-likelihood, marginals, entropy, all batched.

The functions take *potentials*, scores that add up along a path (eq. 7 of the paper; start and end scores are zero
there). Shapes: B sentences, T tokens, K tags; `mask` is `(B, T)`, true for real tokens, which stand at the left.
`-inf` is a legal potential: a path that uses it has probability zero.

There are two ways to sum over paths. `forward_scores` and `backward_scores` add logarithms, step by step, on any device
and with any potentials. On the CPU `_messages` does both directions at once with small matrix products of rescaled
probabilities, several times as fast, and declines where a sum could lose a term.
"""

import math
from typing import Any, NamedTuple, Optional

import torch

from roseq_allennlp.nn.mirror import mirrored_positions
from roseq_allennlp.nn.rows import by_token

UNKNOWN = -1
"""In `tags`: any tag."""


class Potentials(NamedTuple):
    """
    emissions : `(B, T, K)` float32 or float64, score of each tag at each token, ζ already applied (eq. 9)
    transitions : `(K, K)`, `[i, j]` is the score of tag i directly before tag j
    start, end : `(K,)`, score of a tag at the first and at the last real token
    """

    emissions: torch.Tensor
    transitions: torch.Tensor
    start: torch.Tensor
    end: torch.Tensor


def path_score(potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Score of one path per sentence: the exponent of eq. (9). `tags` is `(B, T)` int64. Returns `(B,)` float64."""
    last_tags = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1).squeeze(1)  # (B,)
    return step_scores(potentials, tags, mask).sum(dim=1) + potentials.end[last_tags]


def step_scores(potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Emission of each token and score of the step to it, end score left out, `(B, T)` float64; 0 at padding."""
    steps = potentials.emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # (B, T)
    moves = potentials.transitions[tags[:, :-1], tags[:, 1:]]  # (B, T - 1)
    steps = torch.cat([steps[:, :1] + potentials.start[tags[:, :1]], steps[:, 1:] + moves], dim=1)
    return steps.double().masked_fill(~mask, 0.0)


def forward_scores(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """
    α: log of the summed weight of all path prefixes that end in a tag, the emission of that token included.
    Returns `(T, B, K)`; from a sentence's last real token on the values stay the same.
    """
    emissions = potentials.emissions.transpose(0, 1)  # (T, B, K)
    alphas = [potentials.start + emissions[0]]
    for step in range(1, emissions.size(0)):
        moved = torch.logsumexp(alphas[-1].unsqueeze(2) + potentials.transitions, dim=1) + emissions[step]
        alphas.append(torch.where(mask[:, step : step + 1], moved, alphas[-1]))
    return torch.stack(alphas)


def backward_scores(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """
    β: log of the summed weight of all path suffixes that follow a tag, the emission of that token left out.
    Returns `(T, B, K)`; at padding, and at the last real token, the end scores.
    """
    emissions = potentials.emissions.transpose(0, 1)
    beta = potentials.end.expand(emissions.shape[1:])  # (B, K)
    betas = [beta]
    for step in range(emissions.size(0) - 1, 0, -1):
        moved = torch.logsumexp(potentials.transitions + (emissions[step] + beta).unsqueeze(1), dim=2)
        beta = torch.where(mask[:, step : step + 1], moved, beta)
        betas.append(beta)
    return torch.stack(betas[::-1])


def log_partition(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """log Z of eqs. (7) and (9), `(B,)`."""
    return torch.logsumexp(forward_scores(potentials, mask)[-1] + potentials.end, dim=1)


class Messages(NamedTuple):
    """
    What the forward–backward algorithm passes along, rescaled at each token so that nothing over- or underflows.

    alphas : `(T, B, K)`, shares of the path prefixes that end in a tag, its emission included; rows sum to 1
    betas : `(T, B, K)`, shares of the path suffixes that follow a tag, up to a factor of the row
    gammas : `(T, B, K)`, shares of the path suffixes that start in a tag, its emission included; rows sum to 1
    alpha_logs : `(T, B)` float64, logarithms of what the weights up to a token are divided by to give `alphas`
    weights : `(K, K)`, exp of the transitions less their maximum
    log_z : `(B,)` float64

    Values at padding have no meaning.
    """

    alphas: torch.Tensor
    betas: torch.Tensor
    gammas: torch.Tensor
    alpha_logs: torch.Tensor
    weights: torch.Tensor
    log_z: torch.Tensor


@torch.no_grad()
def _messages(potentials: Potentials, mask: torch.Tensor) -> Optional[Messages]:
    """
    `None` where the plain way must be taken: on an accelerator, where the final check would synchronise with the device,
    and where a term that matters could underflow.

    Both directions are one recursion: the backward one runs over the reversed sentence with the transitions turned
    round. Sentences are reversed within their own length, so both start at a real token and padding never counts.
    """
    if mask.device.type != "cpu":
        return None
    emissions, transitions, start, end = potentials
    batch_size, length = mask.shape
    position, last = torch.arange(length).unsqueeze(1), mask.sum(dim=1) - 1  # (T, 1), (B,)
    order = (mirrored_positions(mask).t() * batch_size + torch.arange(batch_size)).flatten()

    def mirrored(rows: torch.Tensor) -> torch.Tensor:
        return rows.reshape(length * batch_size, -1).index_select(0, order).view_as(rows)  # (T, B, K)

    forwards = torch.where(mask.t().unsqueeze(2), emissions.transpose(0, 1), 0.0)  # (T, B, K)
    scores = torch.stack([forwards, mirrored(forwards)], dim=1)  # (T, 2, B, K)
    scores[0, 0] += start
    scores[0, 1] += end
    peaks = scores.amax(dim=3, keepdim=True)  # (T, 2, B, 1)
    scores = scores.sub_(peaks).exp_()
    top = transitions.max()
    weights = (transitions - top).exp()  # (K, K)
    moves = torch.stack([weights, weights.t()])  # (2, K, K)

    sums = torch.empty_like(peaks)
    torch.sum(scores[0], dim=2, keepdim=True, out=sums[0])
    share = scores[0].div_(sums[0])
    for current, total in zip(by_token(scores[1:]), by_token(sums[1:]), strict=True):  # (2, B, K), overwritten
        share = current.mul_(torch.bmm(share, moves))
        torch.sum(share, dim=2, keepdim=True, out=total)
        share.div_(total)

    # No term is lost if a tag can fall behind another by one transition only, or if no share comes near underflow.
    tiny = torch.finfo(scores.dtype).tiny  # about exp(-87) or exp(-708)
    if max(float(values.max() - values.min()) for values in (transitions, start, end)) > -0.5 * math.log(tiny):
        possible = scores > tiny / torch.finfo(scores.dtype).eps
        possible[0] |= torch.stack([start, end]).isneginf().unsqueeze(1)
        if not possible.all():
            return None

    alphas, gammas = scores[:, 0], mirrored(scores[:, 1])  # (T, B, K)
    betas = torch.ones_like(gammas)
    torch.matmul(gammas[1:], weights.t(), out=betas[:-1])
    torch.where((position == last).unsqueeze(2), (end - end.max()).exp(), betas, out=betas)
    logs = (peaks.double() + sums.log()).squeeze(3)  # (T, 2, B)
    logs[1:] += top
    logs = logs.masked_fill_((position > last).unsqueeze(1), 0.0).cumsum(dim=0)
    # (B,)
    log_z = logs[-1, 1] + (gammas[0] @ (start - start.max()).exp()).log() + start.max()
    return Messages(alphas, betas, gammas, logs[:, 0], weights, log_z)


def log_sums(potentials: Potentials, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    `forward_scores` and `backward_scores`, whose values at padding have no meaning here, and log Z `(B,)`: by the faster
    way, in float64, without gradients.
    """
    with torch.no_grad():
        potentials = Potentials(*(scores.double() for scores in potentials))
        messages = _messages(potentials, mask)
        if messages is None:
            alphas, betas = forward_scores(potentials, mask), backward_scores(potentials, mask)
            return alphas, betas, torch.logsumexp(alphas[-1] + potentials.end, dim=1)
        alphas, betas = messages.alphas, messages.betas
        # At each token the products of both sum to Z, which gives the factor that the betas lack.
        beta_logs = messages.log_z - messages.alpha_logs - (alphas * betas).sum(dim=2).log()
        alphas = alphas.log() + messages.alpha_logs.unsqueeze(2)
        return alphas, betas.log() + beta_logs.unsqueeze(2), messages.log_z


class _LogLikelihood(torch.autograd.Function):
    """
    log p of what is known of each sentence's tags. The gradient is written out: observed less expected counts, the expected
    ones from the marginals of tags and of pairs of neighbouring tags.

    A sentence of the batch whose tags are known in part (`partial`, `(P,)` its index) stands there once more, with only the
    tags that agree possible. What is expected among these paths takes the place of what is observed.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> torch.Tensor:
        *scores, tags, mask, partial = args
        dtype, batch_size = scores[0].dtype, len(tags)
        is_known: Any = None
        if partial is not None:
            tags, mask, scores[0], is_known = _with_partial_ones(scores[0], tags, mask, partial)
        potentials = Potentials(*scores)
        with torch.autocast("cpu", enabled=False):
            messages = _messages(potentials, mask)
        if messages is None:
            potentials = Potentials(*(values.double() for values in scores))
            alphas = forward_scores(potentials, mask)
            log_z = torch.logsumexp(alphas[-1] + potentials.end, dim=1)
            saved = [*potentials, tags, mask, alphas]
        else:
            log_z = messages.log_z
            saved = [*scores, tags, mask, *messages[:3], messages.weights]
        ctx.save_for_backward(*saved, partial, is_known)
        ctx.dtype = dtype
        if partial is None:
            return (path_score(potentials, tags, mask) - log_z).to(dtype)
        known = path_score(
            potentials._replace(emissions=potentials.emissions[:batch_size]), tags, mask[:batch_size]
        ).index_copy(0, partial, log_z[batch_size:])
        return (known - log_z[:batch_size]).masked_fill(~is_known, 0.0).to(dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Optional[torch.Tensor], ...]:
        *scores, tags, mask = ctx.saved_tensors[:6]
        *saved, partial, is_known = ctx.saved_tensors[6:]
        transitions, batch_size = scores[1], len(tags)
        factor = observed_factor = gradients[0]  # (B,)
        if partial is not None:
            factor = factor.masked_fill(~is_known, 0.0)
            observed_factor = factor.index_fill(0, partial, 0.0)
            factor = torch.cat([factor, -factor[partial]])
        gradient = (factor.unsqueeze(1) * mask).t().to(transitions.dtype)  # (T, B), or (T, B + P)
        if len(saved) == 1:
            expected, pairs = _expected_counts(Potentials(*scores), mask, saved[0], gradient)
        else:
            alphas, betas, gammas, weights = saved
            expected = alphas * betas
            factors = (gradient / expected.sum(dim=2)).unsqueeze(2)
            expected *= factors
            left = alphas[:-1] * torch.where(mask.t()[1:].unsqueeze(2), factors[:-1], 0.0)
            with torch.autocast("cpu", enabled=False):
                pairs = weights * (left.flatten(0, 1).t() @ gammas[1:].flatten(0, 1))
        counts = expected.neg_().transpose(0, 1)  # observed less expected
        if partial is not None:
            counts, mask = counts[:batch_size].index_add(0, partial, counts[batch_size:]), mask[:batch_size]
            gradient = (observed_factor.unsqueeze(1) * mask).t().to(transitions.dtype)  # (T, B)
        counts.scatter_add_(2, tags.unsqueeze(2), gradient.t().unsqueeze(2))
        moves = (tags[:, :-1] * transitions.size(0) + tags[:, 1:]).flatten()
        observed = torch.zeros_like(transitions).flatten().index_add_(0, moves, gradient[1:].t().flatten())
        is_last = mask & ~torch.nn.functional.pad(mask, (0, 1))[:, 1:]
        ends = counts.masked_fill(~is_last.unsqueeze(2), 0.0).sum(dim=(0, 1))
        results = counts, observed.view_as(transitions) - pairs, counts[:, 0].sum(dim=0), ends
        return *(result.to(ctx.dtype) for result in results), None, None, None


def _with_partial_ones(
    emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor, partial: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Tags that can be looked up, `(B, T)`; the mask and the emissions of the batch and after it of the sentences `partial`, in
    which tags that do not agree have `-inf`; whether anything of a sentence is known, `(B,)`.
    """
    is_unknown = tags == UNKNOWN  # (B, T)
    others = tags[partial].unsqueeze(2) != torch.arange(emissions.size(2), device=tags.device)  # (P, T, K)
    others &= ~is_unknown[partial].unsqueeze(2)
    agreeing = emissions[partial].masked_fill(others, -math.inf)
    is_known = (mask & ~is_unknown).any(dim=1)
    return tags.clamp(min=0), torch.cat([mask, mask[partial]]), torch.cat([emissions, agreeing]), is_known


def _expected_counts(
    potentials: Potentials, mask: torch.Tensor, alphas: torch.Tensor, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Expected tags `(T, B, K)` and expected transitions `(K, K)`, times the `gradient` `(T, B)` of each token, from
    `forward_scores` in logarithms.
    """
    betas = backward_scores(potentials, mask)
    joint = alphas + betas  # (T, B, K)
    expected = torch.softmax(joint, dim=2) * gradient.unsqueeze(2)
    left = alphas[:-1] - torch.logsumexp(joint[:-1], dim=2, keepdim=True)
    right = potentials.emissions.transpose(0, 1)[1:] + betas[1:]
    pairs = torch.zeros_like(potentials.transitions)
    for before, after, factor in zip(left, right, gradient[1:], strict=True):
        share = (before.unsqueeze(2) + potentials.transitions + after.unsqueeze(1)).exp()  # (B, K, K)
        # At padding the exponent has no meaning, and 0 * inf would be no 0.
        pairs += torch.where(factor.view(-1, 1, 1) != 0, share * factor.view(-1, 1, 1), 0.0).sum(dim=0)
    return expected, pairs


def log_likelihood(
    potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor, has_unknown: Optional[bool] = None
) -> torch.Tensor:
    """
    log p of what is known of each sentence's tags: the log of the summed weight of all paths that agree with them, less log
    Z. Where all are known this is `path_score` − `log_partition`, where none is known it is 0 and so is its gradient. The
    gradient is written out.

    # Parameters

    potentials : `Potentials`
        Finite.
    tags : `(B, T)` int64
        `UNKNOWN` where any tag agrees.
    mask : `(B, T)` bool
    has_unknown : `bool`, optional (default = `may_have_unknown(tags)`)
        `False`: no tag is `UNKNOWN`. It saves work on an accelerator.

    # Returns

    `(B,)`
    """
    if has_unknown is None:
        has_unknown = may_have_unknown(tags)
    partial = _partial(tags, mask) if has_unknown else None
    return _LogLikelihood.apply(*potentials, tags, mask, partial)  # type: ignore[no-any-return]


def may_have_unknown(tags: torch.Tensor) -> bool:
    """Whether a tag may be `UNKNOWN`: looked for on the CPU, and yes on an accelerator, as to look would synchronise."""
    return tags.device.type != "cpu" or bool((tags == UNKNOWN).any())


def _partial(tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The sentences whose tags are known in part, `(P,)` int64; on an accelerator all, as to look would synchronise."""
    if mask.device.type != "cpu":
        return torch.arange(len(tags), device=tags.device)
    is_unknown = tags == UNKNOWN  # (B, T)
    return ((is_unknown & mask).any(dim=1) & (~is_unknown & mask).any(dim=1)).nonzero().squeeze(1)


def token_marginals(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """Probability of each tag at each token, `(B, T, K)`; rows of real tokens sum to 1, those of padding are 0."""
    alphas, betas, _ = log_sums(potentials, mask)
    return torch.softmax(alphas + betas, dim=2).transpose(0, 1).masked_fill(~mask.unsqueeze(2), 0.0)


@torch.no_grad()
def path_entropy(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """
    Entropy of each sentence's distribution over paths, `(B,)` float64, in nats: the expected −log p of a path, which is log Z
    less the expected path score. Here it is summed as that of the first tag and of each tag given the one before it, whose
    terms are all positive, and so loses nothing where log Z is large.
    """
    potentials = Potentials(*(scores.double() for scores in potentials))
    alphas, betas, _ = log_sums(potentials, mask)  # (T, B, K)
    marginals = torch.softmax(alphas + betas, dim=2)
    entropy = torch.special.entr(marginals[0]).sum(dim=1)  # (B,)
    emissions = potentials.emissions.transpose(0, 1)  # (T, B, K)
    for step in range(1, emissions.size(0)):
        after = potentials.transitions + (emissions[step] + betas[step]).unsqueeze(1)  # (B, K from, K to)
        given = torch.special.entr(torch.softmax(after, dim=2)).sum(dim=2)  # (B, K)
        # A tag that no path goes through may have none after it.
        share = marginals[step - 1]
        expected = torch.where(share > 0, share * given, 0.0).sum(dim=1)
        entropy = torch.where(mask[:, step], entropy + expected, entropy)
    return entropy
