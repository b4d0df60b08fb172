"""
Linear-chain conditional random field: log-likelihood, marginals, span probabilities, Viterbi and n-best, all batched.

The functions take *potentials*, scores that add up along a path (eq. 7 of the paper; start and end scores are zero
there). Shapes: B sentences, T tokens, K tags; `mask` is `(B, T)`, true for real tokens, which stand at the left.
`-inf` is a legal potential: a path that uses it has probability zero.

There are two ways to sum over paths. `forward_scores` and `backward_scores` add logarithms, step by step, on any device
and with any potentials. On the CPU `_messages` does both directions at once with small matrix products of rescaled
probabilities, about ten times as fast, and declines where a sum could lose a term.
"""

import math
from typing import Any, NamedTuple, Optional

import torch
from allennlp.common.checks import ConfigurationError


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


def check_mask(mask: torch.Tensor) -> None:
    """
    Raises `ValueError` unless each sentence is a run of real tokens from position 0. Only masks on the CPU are looked
    at: on an accelerator the answer would have to be waited for.
    """
    if mask.device.type != "cpu":
        return
    bad = ~mask[:, 0] | (mask[:, 1:] & ~mask[:, :-1]).any(dim=1)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise ValueError(
            f"The mask of a CRF must be true for the first n >= 1 tokens of each sentence and false after them; "
            f"sentence {row} of the batch has {mask[row].int().tolist()}. Move padding to the right end."
        )


def path_score(potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Score of one path per sentence: the exponent of eq. (9). `tags` is `(B, T)` int64. Returns `(B,)` float64."""
    last_tags = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1).squeeze(1)
    return _step_scores(potentials, tags, mask).sum(dim=1) + potentials.end[last_tags]


def _step_scores(potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Emission of each token and score of the step to it, end score left out, `(B, T)` float64; 0 at padding."""
    steps = potentials.emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
    moves = potentials.transitions[tags[:, :-1], tags[:, 1:]]
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
    beta = potentials.end.expand(emissions.shape[1:])
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
    `None` where the plain way must be taken: on an accelerator, where the check at the end would have to be waited for, and
    where a term that matters could underflow.

    Both directions are one recursion: the backward one runs over the reversed sentence with the transitions turned
    round. Sentences are reversed within their own length, so both start at a real token and padding never counts.
    """
    if mask.device.type != "cpu":
        return None
    emissions, transitions, start, end = potentials
    batch_size, length = mask.shape
    position, last = torch.arange(length).unsqueeze(1), mask.sum(dim=1) - 1
    mirror = torch.where(position <= last, last - position, position) * batch_size + torch.arange(batch_size)

    def mirrored(rows: torch.Tensor) -> torch.Tensor:
        return rows.reshape(length * batch_size, -1).index_select(0, mirror.flatten()).view_as(rows)

    forwards = torch.where(mask.t().unsqueeze(2), emissions.transpose(0, 1), 0.0)
    scores = torch.stack([forwards, mirrored(forwards)], dim=1)  # (T, 2, B, K)
    scores[0, 0] += start
    scores[0, 1] += end
    peaks = scores.amax(dim=3, keepdim=True)
    scores = scores.sub_(peaks).exp_()
    top = transitions.max()
    weights = (transitions - top).exp()
    moves = torch.stack([weights, weights.t()])

    sums = torch.empty_like(peaks)
    shares = scores.unbind(0)  # overwritten token by token
    torch.sum(shares[0], dim=2, keepdim=True, out=sums[0])
    share = shares[0].div_(sums[0])
    for current, total in zip(shares[1:], sums.unbind(0)[1:]):
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

    alphas, gammas = scores[:, 0], mirrored(scores[:, 1])
    betas = torch.ones_like(gammas)
    torch.matmul(gammas[1:], weights.t(), out=betas[:-1])
    torch.where((position == last).unsqueeze(2), (end - end.max()).exp(), betas, out=betas)
    logs = (peaks.double() + sums.log()).squeeze(3)
    logs[1:] += top
    logs = logs.masked_fill_((position > last).unsqueeze(1), 0.0).cumsum(dim=0)
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
    log p of one path per sentence. The gradient is written out: observed less expected counts, the expected ones from the
    marginals of tags and of pairs of neighbouring tags.
    """

    @staticmethod
    def forward(ctx: Any, *args: torch.Tensor) -> torch.Tensor:
        *scores, tags, mask = args
        potentials = Potentials(*scores)
        with torch.autocast("cpu", enabled=False):
            messages = _messages(potentials, mask)
        if messages is None:
            potentials = Potentials(*(values.double() for values in scores))
            alphas = forward_scores(potentials, mask)
            log_z = torch.logsumexp(alphas[-1] + potentials.end, dim=1)
            ctx.save_for_backward(*potentials, tags, mask, alphas)
        else:
            log_z = messages.log_z
            ctx.save_for_backward(*scores, tags, mask, *messages[:3], messages.weights)
        ctx.dtype = scores[0].dtype
        return (path_score(potentials, tags, mask) - log_z).to(ctx.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Optional[torch.Tensor], ...]:
        *scores, tags, mask = ctx.saved_tensors[:6]
        saved, transitions = ctx.saved_tensors[6:], scores[1]
        gradient = (gradients[0].unsqueeze(1) * mask).t().to(transitions.dtype)  # (T, B)
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
        counts.scatter_add_(2, tags.unsqueeze(2), gradient.t().unsqueeze(2))
        moves = (tags[:, :-1] * transitions.size(0) + tags[:, 1:]).flatten()
        observed = torch.zeros_like(transitions).flatten().index_add_(0, moves, gradient[1:].t().flatten())
        is_last = mask & ~torch.nn.functional.pad(mask, (0, 1))[:, 1:]
        ends = counts.masked_fill(~is_last.unsqueeze(2), 0.0).sum(dim=(0, 1))
        results = counts, observed.view_as(transitions) - pairs, counts[:, 0].sum(dim=0), ends
        return *(result.to(ctx.dtype) for result in results), None, None


def _expected_counts(
    potentials: Potentials, mask: torch.Tensor, alphas: torch.Tensor, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Expected tags `(T, B, K)` and expected transitions `(K, K)`, times the `gradient` `(T, B)` of each token, from
    `forward_scores` in logarithms.
    """
    betas = backward_scores(potentials, mask)
    joint = alphas + betas
    expected = torch.softmax(joint, dim=2) * gradient.unsqueeze(2)
    left = alphas[:-1] - torch.logsumexp(joint[:-1], dim=2, keepdim=True)
    right = potentials.emissions.transpose(0, 1)[1:] + betas[1:]
    pairs = torch.zeros_like(potentials.transitions)
    for before, after, factor in zip(left, right, gradient[1:]):
        share = (before.unsqueeze(2) + potentials.transitions + after.unsqueeze(1)).exp()
        # At padding the exponent has no meaning, and 0 * inf would be no 0.
        pairs += torch.where(factor.view(-1, 1, 1) != 0, share * factor.view(-1, 1, 1), 0.0).sum(dim=0)
    return expected, pairs


def log_likelihood(potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    log p of each sentence's `tags` (`(B, T)` int64), `(B,)`: `path_score` − `log_partition` with the gradient written out.
    Potentials must be finite.
    """
    return _LogLikelihood.apply(*potentials, tags, mask)  # type: ignore[no-any-return]


def token_marginals(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """Probability of each tag at each token, `(B, T, K)`; rows of real tokens sum to 1, those of padding are 0."""
    alphas, betas, _ = log_sums(potentials, mask)
    return torch.softmax(alphas + betas, dim=2).transpose(0, 1).masked_fill(~mask.unsqueeze(2), 0.0)


def span_probabilities(
    potentials: Potentials, mask: torch.Tensor, tags: torch.Tensor, spans: torch.Tensor
) -> torch.Tensor:
    """
    Exact probability that a path has exactly `tags` over the whole of a span, whatever it has outside.

    # Parameters

    tags : `(B, T)` int64, the path that the spans are cut out of
    spans : `(S, 3)` int64, rows `(sentence, start, end)` in tokens, end exclusive

    # Returns

    `(S,)`, in [0, 1]
    """
    alphas, betas, log_z = log_sums(potentials, mask)
    sentence, start, last = spans[:, 0], spans[:, 1], spans[:, 2] - 1
    position = torch.arange(mask.size(1), device=mask.device)
    within = (position > start.unsqueeze(1)) & (position <= last.unsqueeze(1))  # (S, T), the first token left out
    inside = _step_scores(potentials, tags, mask)[sentence].masked_fill(~within, 0.0).sum(dim=1)
    before = alphas[start, sentence, tags[sentence, start]]
    after = betas[last, sentence, tags[sentence, last]]
    return (before + inside + after - log_z[sentence]).exp().clamp(max=1.0)  # rounding may exceed 1 by 1e-7


@torch.no_grad()
def viterbi(potentials: Potentials, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The path of highest score. No step waits for the device. Returns tags `(B, T)` int64, 0 at padding, and scores `(B,)`.
    """
    num_tags = potentials.transitions.size(0)
    # Tags before sentences: the maximum then runs over the outermost dimension, which vectorises.
    emissions = potentials.emissions.permute(1, 2, 0).contiguous()  # (T, K, B)
    best = torch.empty_like(emissions)
    best[0] = potentials.start.unsqueeze(1) + emissions[0]
    candidates = emissions.new_empty(num_tags, *emissions.shape[1:])
    scores, moves = best.unbind(0), potentials.transitions.unsqueeze(2)
    for before, after, emission in zip(scores, scores[1:], emissions.unbind(0)[1:]):
        torch.add(before.unsqueeze(1), moves, out=candidates)
        torch.amax(candidates, dim=0, out=after).add_(emission)
    # Backwards the same sums are formed for the one tag that follows only; after the last token comes row K, the end.
    into = torch.cat([potentials.transitions.t(), potentials.end.unsqueeze(0)])
    follows = torch.nn.functional.pad(mask, (0, 1))[:, 1:].t().unbind(0)  # whether a real token does
    tag = mask.new_zeros(mask.size(0), dtype=torch.long)
    path = []
    for score, follow in zip(best.transpose(1, 2).unbind(0)[::-1], follows[::-1]):
        _, tag = (score + into[tag.masked_fill(~follow, num_tags)]).max(dim=1)
        path.append(tag)
    final = best.gather(0, (mask.sum(dim=1) - 1).expand(1, *best.shape[1:])).squeeze(0) + potentials.end.unsqueeze(1)
    return torch.stack(path[::-1], dim=1) * mask, final.amax(dim=0)


def n_best(potentials: Potentials, mask: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The n paths of highest score, best first. No step waits for the device.

    # Returns

    tags : `(B, n, T)` int64, 0 at padding
    scores : `(B, n)`; `-inf` where a sentence has fewer than n paths
    """
    batch_size, length, num_tags = potentials.emissions.shape
    emissions = potentials.emissions.transpose(0, 1)
    # The state is a pair (rank, tag), flattened to rank * K + tag. Before the first step only rank 0 exists.
    best = emissions.new_full((batch_size, n, num_tags), float("-inf"))
    best[:, 0] = potentials.start + emissions[0]
    stay = torch.arange(n * num_tags, device=emissions.device).view(1, n, num_tags)
    pointers = []
    for step in range(1, length):
        candidates = (best.unsqueeze(3) + potentials.transitions).flatten(1, 2)  # (B, n * K, K)
        scores, origins = candidates.topk(n, dim=1)  # (B, n, K)
        real = mask[:, step].view(-1, 1, 1)
        best = torch.where(real, scores + emissions[step].unsqueeze(1), best)
        pointers.append(torch.where(real, origins, stay))
    scores, state = (best + potentials.end).flatten(1).topk(n, dim=1)  # (B, n)
    path = [state]
    for origins in reversed(pointers):
        state = origins.flatten(1).gather(1, state)
        path.append(state)
    tags = torch.stack(path[::-1], dim=2) % num_tags
    return tags * mask.unsqueeze(1), scores


class ConditionalRandomField(torch.nn.Module):
    """
    Linear-chain CRF with label-aware emissions (LACRF, eq. 9): ζ multiplies the emissions in the score, in Z and in
    decoding alike. ζ = 1 is the plain CRF of eq. (7). Computed in float32 also under autocast, decoding and probabilities in
    float64: scores grow with the sentence, what counts is their differences.

    # Parameters

    num_tags : `int`
        K.
    allowed_transitions : `List[Tuple[int, int]]`, optional
        Pairs (from, to) that decoding may use, K for the start and K + 1 for the end, as AllenNLP's
        `allowed_transitions` gives them. They hold for decoding and for the probabilities of what is decoded, not for
        the likelihood. `None` allows all.
    include_start_end_transitions : `bool`, optional (default = `False`)
        Learned scores for the first and the last tag. Eq. (7) has none.

    # Raises

    `ConfigurationError` if no tag may stand alone, at the start, after itself and at the end: some sentence length
    would have no allowed path.
    """

    label_weights: torch.Tensor
    forbidden_transitions: torch.Tensor
    forbidden_starts: torch.Tensor
    forbidden_ends: torch.Tensor

    def __init__(
        self,
        num_tags: int,
        allowed_transitions: Optional[list[tuple[int, int]]] = None,
        include_start_end_transitions: bool = False,
    ) -> None:
        super().__init__()
        self.num_tags = num_tags
        self.transitions = torch.nn.Parameter(torch.empty(num_tags, num_tags))
        torch.nn.init.xavier_normal_(self.transitions)
        self.start_transitions = self.end_transitions = None
        if include_start_end_transitions:
            self.start_transitions = torch.nn.Parameter(torch.randn(num_tags))
            self.end_transitions = torch.nn.Parameter(torch.randn(num_tags))
        self.register_buffer("label_weights", torch.ones(num_tags))

        penalty = torch.zeros(num_tags + 2, num_tags + 2)
        if allowed_transitions is not None:
            penalty.fill_(float("-inf"))
            for before, after in allowed_transitions:
                penalty[before, after] = 0.0
        steps, starts, ends = penalty[:num_tags, :num_tags], penalty[num_tags, :num_tags], penalty[:num_tags, -1]
        if not torch.isfinite(steps.diagonal() + starts + ends).any():
            raise ConfigurationError(
                "Constrained decoding needs a tag that may stand at the start, after itself and at the end, such as O; "
                "the label set has none. Add it to the vocabulary or turn the constraints off."
            )
        # Derived from the label set, so never saved.
        self.register_buffer("forbidden_transitions", steps.clone(), persistent=False)
        self.register_buffer("forbidden_starts", starts.clone(), persistent=False)
        self.register_buffer("forbidden_ends", ends.clone(), persistent=False)

    def potentials(self, emissions: torch.Tensor, constrained: bool) -> Potentials:
        """`emissions` is `(B, T, K)` float32 or float64, W h + b of eq. (7), unweighted; all take its type."""
        dtype = emissions.dtype
        transitions = self.transitions.to(dtype)
        zero = emissions.new_zeros(self.num_tags)
        start = zero if self.start_transitions is None else self.start_transitions.to(dtype)
        end = zero if self.end_transitions is None else self.end_transitions.to(dtype)
        if constrained:
            transitions = transitions + self.forbidden_transitions
            start, end = start + self.forbidden_starts, end + self.forbidden_ends
        return Potentials(emissions * self.label_weights.to(dtype), transitions, start, end)

    def forward(self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Log-likelihood of each sentence's `tags` (`(B, T)` int64), log p̃(y|h) of eq. (9), `(B,)`."""
        check_mask(mask)
        emissions = emissions.to(_at_least_float32(emissions))
        return log_likelihood(self.potentials(emissions, constrained=False), tags, mask)

    def marginals(self, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Probability of each tag at each token among the paths that decoding may choose, `(B, T, K)`."""
        check_mask(mask)
        return token_marginals(self.potentials(emissions.double(), constrained=True), mask).to(
            _at_least_float32(emissions)
        )

    def decode(self, emissions: torch.Tensor, mask: torch.Tensor, n: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """The n best allowed paths and their scores in float64, see `n_best`."""
        check_mask(mask)
        potentials = self.potentials(emissions.double(), constrained=True)
        if n > 1:
            return n_best(potentials, mask, n)
        tags, scores = viterbi(potentials, mask)
        return tags.unsqueeze(1), scores.unsqueeze(1)

    def log_partition(self, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """log Z over the paths that decoding may choose, `(B,)` in float64, without a gradient."""
        check_mask(mask)
        return log_sums(self.potentials(emissions.double(), constrained=True), mask)[2]

    def span_probabilities(
        self, emissions: torch.Tensor, mask: torch.Tensor, tags: torch.Tensor, spans: torch.Tensor
    ) -> torch.Tensor:
        """Probability of each span among the paths that decoding may choose, see `span_probabilities`."""
        check_mask(mask)
        probabilities = span_probabilities(self.potentials(emissions.double(), constrained=True), mask, tags, spans)
        return probabilities.to(_at_least_float32(emissions))


def _at_least_float32(emissions: torch.Tensor) -> torch.dtype:
    return torch.promote_types(emissions.dtype, torch.float32)
