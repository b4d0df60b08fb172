"""How unsure a tagger is of sentences, and what entities it expects in them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.models.tagger_ensemble import TaggerEnsemble
from roseq_allennlp.models.token_mask import token_mask
from roseq_allennlp.predictors.ner_tagger import NerTagger
from roseq_allennlp.predictors.sentences import Sentence

_MOST = 1e6  # nats


class Unsure(NamedTuple):
    """
    # Parameters

    value : `float`
        What the measure gives.
    score : `float`
        How unsure the tagger is, at least 0: higher for less sure. Comparable among the values of one measure only.
    expected : `Dict[str, float]`
        Expected number of entities of each type.
    answer : `Dict[str, Any]`
        `tags` and `entities`, as the model gives them.
    """

    value: float
    score: float
    expected: dict[str, float]
    answer: dict[str, Any]


def unsure(tagger: NerTagger, sentences: Sequence[Sentence], by: str) -> Iterator[tuple[int, Unsure]]:
    """
    The index of each of `sentences` that has a word, and how unsure the tagger is of it, not in their order.

    # Parameters

    tagger : `NerTagger`
    sentences : `Sequence[Sentence]`
        Some thousands, which are sorted by length into batches.
    by : `str`
        `entropy`, `margin` or `disagreement`. `entropy`: that of the distribution over all tag sequences, exact, in nats. `margin`: log p₁ − log p₂
        of the two best tag sequences, whose score is p₂ / p₁. `disagreement`: of the members of an ensemble, the mean
        Kullback–Leibler divergence of each member's marginals from the mean of all, summed over tokens, in nats.

    # Raises

    `ConfigurationError`: a model without a CRF of this package; `disagreement` for a single tagger.
    """
    model = tagger.crf_model()
    if by == "disagreement" and not isinstance(model, TaggerEnsemble):
        raise ConfigurationError(
            "disagreement is that of the members of a tagger_ensemble, and the archive has one tagger: choose entropy or margin."
        )
    starts = _starts(tagger)

    def compute(inputs: dict[str, Any], device: torch.device) -> dict[str, Any]:
        with torch.inference_mode():
            output = tagger._forward(inputs, device)
            emissions, mask = output["emissions"].double(), output["mask"]  # (B, T, K), (B, T)
            counts = model.crf.marginals(emissions, mask).sum(dim=1) @ starts.to(emissions)  # (B, types)
            values = (
                _disagreement(model, inputs)
                if isinstance(model, TaggerEnsemble) and by == "disagreement"
                else _VALUES[by](model, emissions, mask)
            )
            answer = model.make_output_human_readable(output)
            return {
                "value": values.tolist(),
                "expected": counts.tolist(),
                "tags": answer["tags"],
                "entities": answer["entities"],
            }

    types = tagger.labels
    for index, output in tagger._in_batches([sentence.seen() for sentence in sentences], compute):
        expected = dict(zip(types, output.pop("expected"), strict=True))
        value = output.pop("value")
        yield index, Unsure(value, math.exp(-value) if by == "margin" else value, expected, output)


def _starts(tagger: NerTagger) -> torch.Tensor:
    """Which tags begin an entity of which type, `(K, types)` of 0 and 1."""
    pairs = [tag.partition("-")[::2] for tag in tagger.crf_model().vocab.get_token_to_index_vocabulary("labels")]
    return torch.tensor([[float(prefix in "BU" and of == label) for label in tagger.labels] for prefix, of in pairs])


def _entropy(model: Tagger, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return model.crf.entropies(emissions, mask)


def _margin(model: Tagger, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    _, scores = model.crf.decode(emissions, mask, 2)  # (B, 2)
    return (scores[:, 0] - scores[:, 1]).clamp(max=_MOST)  # infinite where there is no second one


_VALUES = {"entropy": _entropy, "margin": _margin}


def _disagreement(ensemble: TaggerEnsemble, inputs: dict[str, Any]) -> torch.Tensor:
    """The entropy of the mean of the members' marginals less the mean of their entropies, which is that mean divergence."""
    mask = token_mask(inputs["tokens"], inputs["metadata"])  # (B, T)
    scored = ensemble.score_tags_by_members(inputs["tokens"], None, mask)
    marginals = torch.stack(  # (members, B, T, K)
        [
            member.crf.marginals(emissions.double(), mask)
            for member, (emissions, _) in zip(ensemble.members, scored, strict=True)
        ]
    )
    entropies = torch.special.entr(marginals).sum(dim=(2, 3)).mean(dim=0)  # (B,)
    return torch.special.entr(marginals.mean(dim=0)).sum(dim=(1, 2)) - entropies
