"""
Which labels are probably wrong, by what a tagger that has not seen them makes of their sentences.

A suspect is a stretch of tokens where something else is more probable than what the labels say: an entity where they have another
one or none, or none where they have one. All probabilities are those of whole entities with exactly these ends.

A tagger is surer of some errors of its own than of others: it misses half of all titles, and takes hardly a name for a place. So
the odds of a suspect are weighed with how rare it is: the share of the labels of that type that look at least as wrong in the same way
(a conformal p-value, but for pseudo-counts).
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Optional

from roseq_allennlp.data.tag_schemes import Span

MISSING, TYPE, BOUNDARY, TYPE_AND_BOUNDARY, SPURIOUS = KINDS = (
    "missing",
    "wrong type",
    "wrong boundary",
    "wrong type and boundary",
    "spurious",
)

_WEIGHT = 2.0  # of the share against the odds; docs/suspects.md has what it was chosen by
_LEAST = 0.01  # smaller probabilities are nearly alike: those of long entities are products of many
_PSEUDO_COUNT = 10  # entities, so that a share of a few says little


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
    predicted : `Collection[Span]`
        The entities that the tagger would mark, without those that have a token of unknown tag.
    """

    labelled: Mapping[Span, float]
    others: Mapping[Span, float]
    outside: Mapping[tuple[int, int], float]
    predicted: Collection[Span]


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
    def odds(self) -> float:
        """About how many times as probable the proposal is as the labels, in [1, 101]."""
        return (self.proposed_probability + _LEAST) / (self.probability + _LEAST)

    @property
    def span(self) -> Span:
        """The entity that the suspect is about."""
        span = self.labelled or self.proposed
        assert span is not None
        return span


class Ranked(NamedTuple):
    """
    # Parameters

    sentence : `int`
        The index of the sentence.
    suspect : `Suspect`
    share : `float`
        How much of the labels of its type (of the tagger's entities of that type, for a missing one) looks at least as wrong in
        the same way, in (0, 1]. The smaller it is, the rarer is such a suspect where the labels are right.
    """

    sentence: int
    suspect: Suspect
    share: float

    @property
    def score(self) -> float:
        """What suspects are ranked by, 0 or more: the logarithm of the odds, and that of the share, which counts twice."""
        return math.log(self.suspect.odds) - _WEIGHT * math.log(self.share)


def suspects_of(evidence: Evidence) -> list[Suspect]:
    """The suspects of a sentence, by falling odds."""
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
    return sorted(suspects + missing, key=lambda suspect: (-suspect.odds, suspect.span.start))


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


def ranked(sentences: Sequence[Evidence]) -> list[Ranked]:
    """All suspects of all sentences, by falling score."""
    every = [(index, suspect) for index, evidence in enumerate(sentences) for suspect in suspects_of(evidence)]
    labelled = Counter(span.label for evidence in sentences for span in evidence.labelled)
    predicted = Counter(span.label for evidence in sentences for span in evidence.predicted)
    odds: dict[tuple[str, str], list[float]] = defaultdict(list)  # negative ones, of each kind and type
    for _, suspect in every:
        odds[suspect.kind, suspect.span.label].append(-suspect.odds)
    for values in odds.values():
        values.sort()

    def share(suspect: Suspect) -> float:
        label, alike = suspect.span.label, odds[suspect.kind, suspect.span.label]
        total = (predicted if suspect.kind == MISSING else labelled)[label]
        worse = bisect_right(alike, -suspect.odds)  # itself among them
        return (_PSEUDO_COUNT + worse) / (_PSEUDO_COUNT + max(total, len(alike)))

    result = [Ranked(index, suspect, share(suspect)) for index, suspect in every]
    return sorted(result, key=lambda one: (-one.score, one.sentence, one.suspect.span.start))
