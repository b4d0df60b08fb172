"""
Which labels are probably wrong, by what a tagger that has not seen them makes of their sentences.

A suspect is a stretch of tokens where something else is more probable than what the labels say: an entity where they have another
one or none, or none where they have one. All probabilities are those of whole entities with exactly these ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Optional

from roseq_allennlp.data.tag_schemes import Span

MISSING, TYPE, BOUNDARY, TYPE_AND_BOUNDARY, SPURIOUS = KINDS = (
    "missing",
    "wrong type",
    "wrong boundary",
    "wrong type and boundary",
    "spurious",
)


class Evidence(NamedTuple):
    """
    What a tagger makes of a labelled sentence.

    # Parameters

    labelled : `Mapping[Span, float]`
        The probability of each entity of the labels.
    others : `Mapping[Span, float]`
        That of each likely entity which the labels do not have, and which has no token of unknown tag.
    outside : `Mapping[Tuple[int, int], float]`
        The probability that all tokens `[start, end)` are O, for each entity of both.
    """

    labelled: Mapping[Span, float]
    others: Mapping[Span, float]
    outside: Mapping[tuple[int, int], float]


class Suspect(NamedTuple):
    """
    # Parameters

    kind : `str`
        One of `KINDS`.
    labelled : `Optional[Span]`
        The entity that is probably wrong; `None` where one is missing.
    probability : `float`
        That the tokens are labelled right: of that entity, or of O at all tokens of the missing one.
    proposed : `Optional[Span]`
        What is the most probable instead; `None`: no entity.
    proposed_probability : `float`
    """

    kind: str
    labelled: Optional[Span]
    probability: float
    proposed: Optional[Span]
    proposed_probability: float

    @property
    def score(self) -> float:
        """How much more probable the proposal is than the labels, in [0, 1]: what suspects are ranked by."""
        return self.proposed_probability - self.probability

    @property
    def span(self) -> Span:
        """The entity that the suspect is about."""
        span = self.labelled or self.proposed
        assert span is not None
        return span


class Ranked(NamedTuple):
    """A suspect of the sentence with this index."""

    sentence: int
    suspect: Suspect


def suspects_of(evidence: Evidence) -> list[Suspect]:
    """The suspects of a sentence, the worst first."""
    suspects = [
        suspect
        for entity, probability in evidence.labelled.items()
        if (suspect := _of_entity(entity, probability, evidence)) is not None
    ]
    missing: list[Suspect] = []
    for other, probability in sorted(evidence.others.items(), key=lambda item: (-item[1], item[0])):
        taken = [*evidence.labelled, *(suspect.span for suspect in missing)]
        outside = evidence.outside[other.start, other.end]
        if probability > outside and not any(overlap(other, entity) for entity in taken):
            missing.append(Suspect(MISSING, None, outside, other, probability))
    return sorted(suspects + missing, key=lambda suspect: (-suspect.score, suspect.span.start))


def _of_entity(entity: Span, probability: float, evidence: Evidence) -> Optional[Suspect]:
    """What is more probable than an entity of the labels, if anything is."""
    alternatives: list[tuple[float, Optional[Span]]] = [
        (value, other) for other, value in evidence.others.items() if overlap(entity, other)
    ]
    alternatives.append((evidence.outside[entity.start, entity.end], None))
    value, proposed = max(alternatives, key=lambda alternative: alternative[0])
    return Suspect(_kind(entity, proposed), entity, probability, proposed, value) if value > probability else None


def _kind(labelled: Span, proposed: Optional[Span]) -> str:
    if proposed is None:
        return SPURIOUS
    if labelled[1:] == proposed[1:]:
        return TYPE
    return BOUNDARY if labelled.label == proposed.label else TYPE_AND_BOUNDARY


def overlap(one: Span, other: Span) -> bool:
    """Whether two spans have a token in common."""
    return one.start < other.end and other.start < one.end


def ranked(sentences: Iterable[Sequence[Suspect]]) -> list[Ranked]:
    """All suspects of all sentences, the worst first."""
    every = [Ranked(index, suspect) for index, suspects in enumerate(sentences) for suspect in suspects]
    return sorted(every, key=lambda one: (-one.suspect.score, one.sentence, one.suspect.span.start))
