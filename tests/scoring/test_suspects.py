import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.scoring.suspects import KINDS, Evidence, overlap, ranked, suspects_of

ANN, OSLO, LONG = Span("PER", 0, 2), Span("LOC", 4, 5), Span("LOC", 3, 5)


def evidence(labelled, others=None, outside=None):
    """What is outside is 1 less the probability of the entity itself unless it is given."""
    others = others or {}
    rest = {(span.start, span.end): 1 - value for span, value in {**labelled, **others}.items()}
    predicted = [span for span, value in {**labelled, **others}.items() if value > 0.5]
    return Evidence(labelled, others, {**rest, **(outside or {})}, predicted)


@pytest.mark.parametrize(
    "one, kind, proposed, probabilities",
    [
        (evidence({}, {OSLO: 0.9}), "missing", OSLO, (0.1, 0.9)),
        (evidence({OSLO: 0.2}), "spurious", None, (0.2, 0.8)),
        (
            evidence({OSLO: 0.1}, {OSLO._replace(label="ORG"): 0.7}, {(4, 5): 0.2}),
            "wrong type",
            ("ORG", 4, 5),
            (0.1, 0.7),
        ),
        (evidence({OSLO: 0.1}, {LONG: 0.7}, {(4, 5): 0.2}), "wrong boundary", LONG, (0.1, 0.7)),
        (
            evidence({OSLO: 0.1}, {LONG._replace(label="ORG"): 0.7, LONG: 0.1}, {(4, 5): 0.1}),
            "wrong type and boundary",
            ("ORG", 3, 5),
            (0.1, 0.7),
        ),
    ],
)
def test_kinds(one, kind, proposed, probabilities):
    (suspect,) = suspects_of(one)
    assert (suspect.kind, suspect.proposed) == (kind, proposed)
    assert (suspect.probability, suspect.proposed_probability) == pytest.approx(probabilities)
    assert suspect.labelled == (None if kind == "missing" else OSLO)
    assert suspect.odds == pytest.approx((probabilities[1] + 0.01) / (probabilities[0] + 0.01))


def test_labels_that_are_the_most_probable_are_no_suspects():
    assert suspects_of(evidence({ANN: 0.9, OSLO: 0.5}, {LONG: 0.3}, {(4, 5): 0.2})) == []
    # An entity that is likely, where none is more likely still.
    assert suspects_of(evidence({}, {OSLO: 0.4}, {(4, 5): 0.6})) == []


def test_of_missing_entities_that_overlap_the_most_probable_one_is_named():
    other = Span("PER", 7, 8)
    suspects = suspects_of(evidence({}, {OSLO: 0.3, LONG: 0.6, other: 0.9}, {(4, 5): 0.1, (3, 5): 0.1}))
    assert [suspect.proposed for suspect in suspects] == [other, LONG]


def test_a_kind_of_error_that_the_tagger_often_makes_itself_comes_late():
    titles = [evidence({Span("TITLE", 0, 1): 0.001}) for _ in range(8)]  # it misses all of them, and surely
    names = [evidence({ANN: 0.9}) for _ in range(60)] + [evidence({ANN: 0.1}, {Span("LOC", 0, 2): 0.8}, {(0, 2): 0.1})]
    order = ranked([*titles, *names, evidence({}, {OSLO: 0.9})])
    assert [one.suspect.kind for one in order] == ["wrong type", *["spurious"] * 8, "missing"]
    assert [one.share for one in order] == pytest.approx([11 / 71, *[1.0] * 8, 11 / 12])  # it marks two places
    assert order[0].sentence == 68 and [one.sentence for one in order[1:9]] == list(range(8))
    scores = [(0.81 / 0.11, 11 / 71), *[(1.009 / 0.011, 1.0)] * 8, (0.91 / 0.11, 11 / 12)]
    assert [one.score for one in order] == pytest.approx(
        [math.log(odds) - 2 * math.log(share) for odds, share in scores]
    )
    # The same missing entity where the tagger marks forty more that the labels have.
    places = [evidence({OSLO: 0.9})] * 40
    last = ranked([*titles, *names, evidence({}, {OSLO: 0.9}), *places])
    assert [one.suspect.kind for one in last[:2]] == ["wrong type", "missing"]
    assert last[1].share == pytest.approx(11 / 52)


def test_within_a_kind_and_type_they_are_by_odds_and_tiny_probabilities_are_alike():
    shares = [0.3, 1e-9, 0.1, 1e-12]
    order = ranked([evidence({OSLO: value}, outside={(4, 5): 0.6}) for value in shares])
    assert [one.sentence for one in order] == [3, 1, 2, 0]
    assert [one.share for one in order] == pytest.approx([11 / 14, 12 / 14, 13 / 14, 1.0])
    assert order[0].suspect.odds == pytest.approx(order[1].suspect.odds, rel=0.01)


spans = st.builds(
    lambda label, start, length: Span(label, start, start + length),
    st.sampled_from("AB"),
    st.integers(0, 5),
    st.integers(1, 2),
)


@st.composite
def any_evidence(draw):
    unit = st.floats(0, 1)
    labelled = {}
    for span in draw(st.lists(spans, max_size=4)):
        if not any(overlap(span, other) for other in labelled):
            labelled[span] = draw(unit)
    others = {span: draw(unit) for span in draw(st.sets(spans, max_size=4)) - labelled.keys()}
    outside = {(span.start, span.end): draw(unit) for span in [*labelled, *others]}
    return Evidence(labelled, others, outside, draw(st.sets(spans, max_size=3)))


@given(st.lists(any_evidence(), max_size=6))
def test_of_any_evidence(sentences):
    order = ranked(sentences)
    assert sorted(one.sentence for one in order) == [
        index for index, one in enumerate(sentences) for _ in suspects_of(one)
    ]
    assert all(first.score >= second.score >= 0 for first, second in zip(order, order[1:], strict=False))
    for index, one in enumerate(sentences):
        suspects = [suspect for sentence, suspect, _ in order if sentence == index]
        entities = [suspect.labelled for suspect in suspects if suspect.labelled]
        missing = [suspect.proposed for suspect in suspects if not suspect.labelled]
        assert len(set(entities)) == len(entities) and set(entities) <= one.labelled.keys()
        assert not any(overlap(span, other) for span in missing for other in [*one.labelled, *missing] if span != other)
    for one in order:
        assert one.suspect.kind in KINDS and 0 < one.share <= 1
        assert one.suspect.proposed_probability > one.suspect.probability
