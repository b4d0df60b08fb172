"""
Linear-chain conditional random field: log-likelihood, marginals, span probabilities, Viterbi and n-best, all batched.

The functions take *potentials*, scores that add up along a path (eq. 7 of the paper; start and end scores are zero
there). Shapes: B sentences, T tokens, K tags; `mask` is `(B, T)`, true for real tokens, which stand at the left.
`-inf` is a legal potential: a path that uses it has probability zero.
"""

from typing import NamedTuple, Optional

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
    """Score of one path per sentence: the exponent of eq. (9). `tags` is `(B, T)` int64. Returns `(B,)`."""
    last_tags = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1).squeeze(1)
    return _step_scores(potentials, tags, mask).sum(dim=1) + potentials.end[last_tags]


def _step_scores(potentials: Potentials, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Emission of each token and score of the step to it, end score left out, `(B, T)`; 0 at padding."""
    steps = potentials.emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
    moves = potentials.transitions[tags[:, :-1], tags[:, 1:]]
    steps = torch.cat([steps[:, :1] + potentials.start[tags[:, :1]], steps[:, 1:] + moves], dim=1)
    return steps.masked_fill(~mask, 0.0)


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


def token_marginals(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """Probability of each tag at each token, `(B, T, K)`; rows of real tokens sum to 1, those of padding are 0."""
    scores = forward_scores(potentials, mask) + backward_scores(potentials, mask)
    marginals = torch.softmax(scores, dim=2).transpose(0, 1)
    return marginals * mask.unsqueeze(2)


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
    alphas, betas = forward_scores(potentials, mask), backward_scores(potentials, mask)
    log_z = torch.logsumexp(alphas[-1] + potentials.end, dim=1)
    sentence, start, last = spans[:, 0], spans[:, 1], spans[:, 2] - 1
    position = torch.arange(mask.size(1), device=mask.device)
    within = (position > start.unsqueeze(1)) & (position <= last.unsqueeze(1))  # (S, T), the first token left out
    inside = _step_scores(potentials, tags, mask)[sentence].masked_fill(~within, 0.0).sum(dim=1)
    before = alphas[start, sentence, tags[sentence, start]]
    after = betas[last, sentence, tags[sentence, last]]
    return (before + inside + after - log_z[sentence]).exp().clamp(max=1.0)  # rounding may exceed 1 by 1e-7


def n_best(potentials: Potentials, mask: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The n paths of highest score, best first (Viterbi for n = 1). No step waits for the device.

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
        if n == 1:
            scores, origins = (values.unsqueeze(1) for values in candidates.max(dim=1))
        else:
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
    decoding alike. ζ = 1 is the plain CRF of eq. (7). Computed in float32 also under autocast, probabilities in float64:
    they are differences of scores that grow with the sentence.

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
        """`emissions` is `(B, T, K)` in any float type, W h + b of eq. (7), unweighted."""
        if emissions.dtype in (torch.float16, torch.bfloat16):
            emissions = emissions.float()
        transitions = self.transitions.to(emissions.dtype)
        zero = emissions.new_zeros(self.num_tags)
        start = zero if self.start_transitions is None else self.start_transitions.to(emissions.dtype)
        end = zero if self.end_transitions is None else self.end_transitions.to(emissions.dtype)
        if constrained:
            transitions = transitions + self.forbidden_transitions
            start, end = start + self.forbidden_starts, end + self.forbidden_ends
        return Potentials(emissions * self.label_weights.to(emissions.dtype), transitions, start, end)

    def forward(self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Log-likelihood of each sentence's `tags` (`(B, T)` int64), log p̃(y|h) of eq. (9), `(B,)`."""
        check_mask(mask)
        potentials = self.potentials(emissions, constrained=False)
        return path_score(potentials, tags, mask) - log_partition(potentials, mask)

    def marginals(self, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Probability of each tag at each token among the paths that decoding may choose, `(B, T, K)`."""
        check_mask(mask)
        marginals = token_marginals(self.potentials(emissions.double(), constrained=True), mask)
        return marginals.to(torch.promote_types(emissions.dtype, torch.float32))

    def decode(self, emissions: torch.Tensor, mask: torch.Tensor, n: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """The n best allowed paths, see `n_best`."""
        check_mask(mask)
        return n_best(self.potentials(emissions, constrained=True), mask, n)

    def span_probabilities(
        self, emissions: torch.Tensor, mask: torch.Tensor, tags: torch.Tensor, spans: torch.Tensor
    ) -> torch.Tensor:
        """Probability of each span among the paths that decoding may choose, see `span_probabilities`."""
        check_mask(mask)
        probabilities = span_probabilities(self.potentials(emissions.double(), constrained=True), mask, tags, spans)
        return probabilities.to(torch.promote_types(emissions.dtype, torch.float32))
