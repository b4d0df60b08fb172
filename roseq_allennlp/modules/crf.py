import math
from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.nn.best_paths import n_best, viterbi
from roseq_allennlp.nn.forward_backward import (
    Potentials,
    log_likelihood,
    log_sums,
    path_entropy,
    token_marginals,
)
from roseq_allennlp.nn.half_precision import at_least_float32
from roseq_allennlp.nn.span_probabilities import span_probabilities
from roseq_allennlp.nn.temperature import tempered

_TEMPERATURE = "temperature"  # in the saved weights


class ConditionalRandomField(torch.nn.Module):
    """
    Linear-chain CRF with label-aware emissions (LACRF, eq. 9): ζ multiplies the emissions in the score, in Z and in
    decoding alike. ζ = 1 is the plain CRF of eq. (7). The likelihood is computed in float32 under autocast too, decoding and
    probabilities in float64: scores grow with the sentence, and only their differences count.

    # Parameters

    num_tags : `int`
        K.
    allowed_transitions : `List[Tuple[int, int]]`, optional
        Pairs (from, to) that decoding may use, K for the start and K + 1 for the end, as AllenNLP's
        `allowed_transitions` gives them. They hold for decoding and for the probabilities of what is decoded, not for
        the likelihood. `None` allows all.
    include_start_end_transitions : `bool`, optional (default = `False`)
        Learned scores for the first and the last tag. Eq. (7) has none.
    temperature : `float`, optional (default = that of the weights)
        What all scores are divided by for the probabilities of what is decoded (Guo et al. 2017, section 4.2). The
        likelihood and the paths decoded do not depend on it. Where it is left out it is 1 or what `temperature` is set
        to, and saved with the weights. A given one is not, and weights that are loaded do not change it.

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
        temperature: Optional[float] = None,
    ) -> None:
        super().__init__()
        self.num_tags = num_tags
        self.has_given_temperature = temperature is not None
        self.temperature = 1.0 if temperature is None else temperature
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

    # A number, not a buffer: to look at it never synchronises with a device, and weights without one are as they were.
    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if not self.has_given_temperature and self.temperature != 1:
            destination[prefix + _TEMPERATURE] = torch.tensor(self.temperature, dtype=torch.float64)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        *_, errors = args
        value = state_dict.pop(prefix + _TEMPERATURE, None)
        if value is not None and (value.numel() != 1 or not 0 < float(value) < math.inf):
            errors.append(f"{prefix}{_TEMPERATURE} must be a finite number above 0; got {value.tolist()}")
        elif not self.has_given_temperature:
            self.temperature = 1.0 if value is None else float(value)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def potentials(self, emissions: torch.Tensor, constrained: bool) -> Potentials:
        """
        The potentials of eq. (9), all in the type of `emissions` `(B, T, K)`, float32 or float64: W h + b of eq. (7),
        unweighted.
        """
        dtype = emissions.dtype
        transitions = self.transitions.to(dtype)  # (K, K)
        zero = emissions.new_zeros(self.num_tags)  # (K,)
        start = zero if self.start_transitions is None else self.start_transitions.to(dtype)
        end = zero if self.end_transitions is None else self.end_transitions.to(dtype)
        if constrained:
            transitions = transitions + self.forbidden_transitions.to(dtype)
            start, end = start + self.forbidden_starts.to(dtype), end + self.forbidden_ends.to(dtype)
        return Potentials(emissions * self.label_weights.to(dtype), transitions, start, end)

    def potentials_of_likelihood(self, emissions: torch.Tensor) -> Potentials:
        """Those of all paths, also ones that decoding may not choose, in float32 at least."""
        return self.potentials(emissions.to(at_least_float32(emissions.dtype)), constrained=False)

    def _tempered(self, emissions: torch.Tensor) -> Potentials:
        """The potentials of the probabilities of what is decoded, in float64."""
        return tempered(self.potentials(emissions.double(), constrained=True), self.temperature)

    def forward(
        self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor, has_unknown: Optional[bool] = None
    ) -> torch.Tensor:
        """
        Log-likelihood of what is known of each sentence's `tags` (`(B, T)` int64), `(B,)`: log p̃(y|h) of eq. (9), summed over
        the paths that agree where a tag is `UNKNOWN`. See `log_likelihood`.
        """
        check_mask(mask)
        return log_likelihood(self.potentials_of_likelihood(emissions), tags, mask, has_unknown)

    def marginals(self, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Probability of each tag at each token among the paths that decoding may choose, `(B, T, K)`."""
        check_mask(mask)
        marginals = token_marginals(self._tempered(emissions), mask)  # (B, T, K)
        return marginals.to(at_least_float32(emissions.dtype))

    def decode(self, emissions: torch.Tensor, mask: torch.Tensor, n: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The n best allowed paths `(B, n, T)` int64, see `n_best`, and their scores `(B, n)` in float64, divided by the
        temperature as the paths have been found: so it changes none, near ties neither.
        """
        check_mask(mask)
        potentials = self.potentials(emissions.double(), constrained=True)
        if n > 1:
            tags, scores = n_best(potentials, mask, n)
            return tags, scores / self.temperature
        path, score = viterbi(potentials, mask)  # (B, T), (B,)
        return path.unsqueeze(1), score.unsqueeze(1) / self.temperature

    def log_partition(self, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """log Z over the paths that decoding may choose, `(B,)` in float64, without a gradient."""
        check_mask(mask)
        return log_sums(self._tempered(emissions), mask)[2]

    def entropies(self, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Entropy of the paths that decoding may choose, `(B,)` in float64 and nats, see `path_entropy`."""
        check_mask(mask)
        return path_entropy(self._tempered(emissions), mask)

    def span_probabilities(
        self, emissions: torch.Tensor, mask: torch.Tensor, tags: torch.Tensor, spans: torch.Tensor
    ) -> torch.Tensor:
        """Probability of each span among the paths that decoding may choose, `(S,)`, see `span_probabilities`."""
        check_mask(mask)
        probabilities = span_probabilities(self._tempered(emissions), mask, tags, spans)
        return probabilities.to(at_least_float32(emissions.dtype))  # (S,)


def check_mask(mask: torch.Tensor) -> None:
    """
    Raises `ValueError` unless each sentence is a run of real tokens from position 0. Only masks on the CPU are checked:
    on an accelerator the check would synchronise with the device.
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
