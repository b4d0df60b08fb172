"""How unsure a tagger is of sentences, and what entities it expects in them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.models.tagger_ensemble import TaggerEnsemble
from roseq_allennlp.models.token_mask import token_mask
from roseq_allennlp.predictors.ner_tagger import NerTagger
from roseq_allennlp.predictors.sentences import Sentence

MEASURES = ("entropy", "margin", "disagreement")


class Unsure(NamedTuple):
    """
    # Parameters

    value : `float`
        How unsure the tagger is, higher for less sure; comparable among the values of one measure only.
    expected : `Dict[str, float]`
        Expected number of entities of each type.
    answer : `Dict[str, Any]`
        `tags` and `entities`, as the model gives them.
    """

    value: float
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
        One of `MEASURES`. `entropy`: that of the distribution over all tag sequences, exact, in nats. `margin`: how close the
        second best tag sequence is to the best one, log p₂ − log p₁, at most 0. `disagreement`: of the members of an ensemble,
        the mean Kullback–Leibler divergence of each member's marginals from the mean of all, summed over tokens, in nats.

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
        yield index, Unsure(output.pop("value"), expected, output)


def _starts(tagger: NerTagger) -> torch.Tensor:
    """Which tags begin an entity of which type, `(K, types)` of 0 and 1."""
    pairs = [tag.partition("-")[::2] for tag in tagger.crf_model().vocab.get_token_to_index_vocabulary("labels")]
    return torch.tensor([[float(prefix in "BU" and of == label) for label in tagger.labels] for prefix, of in pairs])


def _entropy(model: Tagger, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return model.crf.entropies(emissions, mask)


def _margin(model: Tagger, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    _, scores = model.crf.decode(emissions, mask, 2)  # (B, 2)
    return scores[:, 1] - scores[:, 0]


_VALUES = {"entropy": _entropy, "margin": _margin}


def _disagreement(ensemble: TaggerEnsemble, inputs: dict[str, Any]) -> torch.Tensor:
    """The entropy of the mean of the members' marginals less the mean of their entropies, which is that mean divergence."""
    mask = token_mask(inputs["tokens"], inputs["metadata"])  # (B, T)
    entropies, total = [], 0.0
    for member in ensemble.members:
        emissions, _ = member.score_tags(inputs["tokens"], None, mask)
        marginals = member.crf.marginals(emissions.double(), mask)  # (B, T, K)
        total = total + marginals
        entropies.append(torch.special.entr(marginals).sum(dim=(1, 2)))  # (B,)
    mean = torch.as_tensor(total) / len(entropies)
    return torch.special.entr(mean).sum(dim=(1, 2)) - torch.stack(entropies).mean(dim=0)
