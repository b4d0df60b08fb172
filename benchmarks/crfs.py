"""CRFs over the same scores: this project's, AllenNLP's and, where they are installed, pytorch-crf's and torch-struct's."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from allennlp.modules.conditional_random_field import ConditionalRandomField as AllenNlpCrf
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions

from roseq_allennlp.modules.crf import ConditionalRandomField

try:
    import torchcrf
except ImportError:  # not every machine has all systems
    torchcrf = None
try:
    import torch_struct
except ImportError:
    torch_struct = None

# For a CRF that knows no forbidden transitions. Far below any score here, and yet exact enough in float32.
FORBIDDEN = -1e4


class Case(NamedTuple):
    """Emissions `(B, T, K)`, tags `(B, T)`, a mask without padding, transitions `(K, K)`, start and end `(K,)`."""

    emissions: torch.Tensor
    tags: torch.Tensor
    mask: torch.Tensor
    transitions: torch.Tensor
    start: torch.Tensor
    end: torch.Tensor
    allowed: list[tuple[int, int]]


def case(batch: int, tokens: int, num_tags: int, device: torch.device) -> Case:
    """Random scores; `num_tags` is O and four for each type."""
    generator = torch.Generator().manual_seed(1)
    types = (num_tags - 1) // 4
    labels = ["O"] + [f"{prefix}-{number}" for number in range(types) for prefix in "BILU"]
    assert len(labels) == num_tags

    def scores(*sizes: int) -> torch.Tensor:
        return torch.randn(*sizes, generator=generator).to(device)

    return Case(
        emissions=scores(batch, tokens, num_tags).requires_grad_(),
        tags=torch.randint(num_tags, (batch, tokens), generator=generator).to(device),
        mask=torch.ones(batch, tokens, dtype=torch.bool, device=device),
        transitions=scores(num_tags, num_tags),
        start=scores(num_tags),
        end=scores(num_tags),
        allowed=allowed_transitions("BIOUL", dict(enumerate(labels))),
    )


def likelihoods(case: Case) -> dict[str, tuple[Callable[[], torch.Tensor], torch.Tensor]]:
    """By system: a function that gives the mean log-likelihood, and the transitions that it has gradients for."""
    emissions, tags, mask = case.emissions, case.tags, case.mask
    ours, allennlp = _ours(case), _allennlp(case)
    ours_transitions, start, end = (
        torch.nn.Parameter(values.clone()) for values in (case.transitions, case.start, case.end)
    )

    def torch_struct_likelihood() -> torch.Tensor:
        # Potentials of (sentence, step, tag after, tag before); the first step holds its first tag's scores too.
        edges = emissions[:, 1:].unsqueeze(3) + ours_transitions.t()
        first = (emissions[:, 0] + start)[:, None, None, :]
        last = end[None, None, :, None]
        edges = torch.cat([edges[:, :1] + first, edges[:, 1:]], dim=1)
        edges = torch.cat([edges[:, :-1], edges[:, -1:] + last], dim=1)
        sentences = torch.arange(edges.size(0), device=edges.device).unsqueeze(1)
        steps = torch.arange(edges.size(1), device=edges.device)
        # Summed up along the path: its `log_prob` of indicator tensors takes longer.
        score = edges[sentences, steps, tags[:, 1:], tags[:, :-1]].sum(dim=1)
        return (score - torch_struct.LinearChainCRF(edges).partition).mean()

    systems = {
        "ours": (lambda: ours(emissions, tags, mask, has_unknown=False).mean(), ours.transitions),
        "AllenNLP": (lambda: allennlp(emissions, tags, mask) / tags.size(0), allennlp.transitions),
    }
    if torchcrf is not None:
        pytorch_crf = _pytorch_crf(case)
        likelihood = partial(pytorch_crf, emissions, tags, mask, reduction="mean")
        systems["pytorch-crf"] = (likelihood, pytorch_crf.transitions)
    if torch_struct is not None:
        systems["torch-struct"] = (torch_struct_likelihood, ours_transitions)
    return systems


def decoders(case: Case) -> dict[str, Callable[[], list[list[int]]]]:
    """By system: a function that gives the best allowed path of each sentence as a list."""
    emissions, mask = case.emissions.detach(), case.mask
    ours, allennlp = _ours(case), _allennlp(case)
    systems = {
        "ours": lambda: ours.decode(emissions, mask)[0][:, 0].tolist(),
        "AllenNLP": lambda: [path for path, _ in allennlp.viterbi_tags(emissions, mask)],
    }
    if torchcrf is not None:
        systems["pytorch-crf"] = partial(_pytorch_crf(case, constrained=True).decode, emissions, mask)
    return systems


def check_likelihoods(case: Case, systems: dict[str, tuple[Callable[[], torch.Tensor], torch.Tensor]]) -> None:
    """Raises `AssertionError` unless all give the same value and the same gradients."""
    found = {name: (value := run(), *_gradients(value, case, weights)) for name, (run, weights) in systems.items()}
    for name, values in found.items():
        for value, expected in zip(values, found["AllenNLP"], strict=True):
            torch.testing.assert_close(
                value, expected, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
            )


def _gradients(value: torch.Tensor, case: Case, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(value, (case.emissions, weights))


def check_paths(case: Case, systems: dict[str, Callable[[], list[list[int]]]]) -> None:
    """Raises `AssertionError` unless all find paths that are allowed and have the same score (paths may tie)."""
    num_tags = case.transitions.size(0)
    allowed = set(case.allowed)
    scores = {}
    for name, decode in systems.items():
        paths = decode()
        for path in paths:
            assert all(step in allowed for step in zip([num_tags, *path], [*path, num_tags + 1], strict=True)), (
                f"{name}: {path}"
            )
        scores[name] = _path_scores(case, torch.tensor(paths, device=case.mask.device))
    for name, found in scores.items():
        torch.testing.assert_close(
            found, scores["AllenNLP"], rtol=1e-6, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def _path_scores(case: Case, paths: torch.Tensor) -> torch.Tensor:
    emissions = case.emissions.detach().double().gather(2, paths.unsqueeze(2)).squeeze(2).sum(dim=1)
    moves = case.transitions.double()[paths[:, :-1], paths[:, 1:]].sum(dim=1)
    return emissions + moves + case.start.double()[paths[:, 0]] + case.end.double()[paths[:, -1]]


def _ours(case: Case) -> ConditionalRandomField:
    crf = ConditionalRandomField(case.transitions.size(0), case.allowed, include_start_end_transitions=True)
    return _with_scores(crf, case)


def _allennlp(case: Case) -> AllenNlpCrf:
    return _with_scores(AllenNlpCrf(case.transitions.size(0), case.allowed), case)


def _pytorch_crf(case: Case, constrained: bool = False) -> Any:
    crf = _with_scores(torchcrf.CRF(case.transitions.size(0), batch_first=True), case)
    if constrained:
        num_tags = case.transitions.size(0)
        penalty = torch.full((num_tags + 2, num_tags + 2), FORBIDDEN, device=case.mask.device)
        penalty[tuple(torch.tensor(case.allowed).t())] = 0.0
        with torch.no_grad():
            crf.transitions += penalty[:num_tags, :num_tags]
            crf.start_transitions += penalty[num_tags, :num_tags]
            crf.end_transitions += penalty[:num_tags, num_tags + 1]
    return crf


def _with_scores(crf: Any, case: Case) -> Any:
    """All three have parameters of these names, transitions as (before, after)."""
    crf.to(case.mask.device)
    with torch.no_grad():
        crf.transitions.copy_(case.transitions)
        crf.start_transitions.copy_(case.start)
        crf.end_transitions.copy_(case.end)
    return crf
