import itertools

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roseq_allennlp.data.tag_schemes import to_spans
from roseq_allennlp.predictors import NerTagger
from tests.paths import allowed_paths

WORDS = ["Marta", "Keller", "flies", "to", "Oslo", "@anna", "in", "zzz", "🙂"]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
def test_marginals_and_spans_are_sums_over_all_paths(with_emissions, words):
    tagger = with_emissions
    paths = allowed_paths(tagger, words)
    tags, probabilities = tagger.marginals(words)
    assert probabilities.shape == (len(words), len(tags)) and probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    expected = np.zeros_like(probabilities)
    of_spans: dict = {}
    for path, probability in paths.items():
        for token, tag in enumerate(path):
            expected[token, tags.index(tag)] += probability
        for span in to_spans(path, "BIOES"):
            of_spans[tuple(span)] = of_spans.get(tuple(span), 0.0) + probability
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    spans = [
        (label, start, end)
        for label in tagger.labels
        for start, end in itertools.combinations(range(len(words) + 1), 2)
    ]
    np.testing.assert_allclose(tagger.score(words, spans), [of_spans.get(span, 0.0) for span in spans], atol=1e-5)


def test_the_entities_of_an_answer_have_their_probabilities(tagger):
    words = "Marta Keller flies from Lisbon to Oslo".split()
    entities = tagger.tag_tokens(words)["entities"]
    spans = [(entity["label"], entity["start_token"], entity["end_token"]) for entity in entities]
    assert len(spans) == 3
    assert tagger.score(words, spans) == pytest.approx([entity["probability"] for entity in entities], abs=1e-5)
    other = tagger.score(words, [("person", 0, 2), ("person", 0, 1), ("location", 0, 2), ("group", 2, 3)] * 30)
    assert other[:4] == other[-4:] and other[0] > max(other[1:4]) and min(other) > 0


def test_white_space_is_not_seen(tagger):
    spaced, words = ["Marta", " ", "Keller", "\n"], ["Marta", "Keller"]
    tags, probabilities = tagger.marginals(spaced)
    np.testing.assert_allclose(probabilities[[0, 2]], tagger.marginals(words).probabilities, atol=1e-6)
    assert (probabilities[[1, 3], tags.index("O")] == 1).all() and (probabilities[[1, 3]].sum(axis=1) == 1).all()
    scores = tagger.score(spaced, [("person", 0, 3), ("person", 0, 4), ("person", 1, 2), ("person", 2, 3)])
    whole, last = tagger.score(words, [("person", 0, 2), ("person", 1, 2)])
    assert scores == pytest.approx([whole, whole, 0.0, last], abs=1e-6)


@pytest.mark.parametrize("words", [[], [" "], ["\n", "\t"]])
def test_sentences_without_a_word(tagger, words):
    assert tagger.marginals(words).probabilities.shape == (len(words), len(tagger.marginals(words).tags))
    assert tagger.score(words, [("person", 0, 1)] * bool(words)) == [0.0] * bool(words)


@pytest.mark.parametrize(
    "spans, message",
    [
        ([("person", 0, 3)], r"0 <= start < end <= 2; got \('person', 0, 3\)"),
        ([("person", 1, 1)], "start < end"),
        ([("person", -1, 1)], "start < end"),
        ([("person", 0, True)], "a span is"),
        ([("person", 0, 1.0)], "a span is"),
        ([(None, 0, 1)], "a span is"),
        ([("person", 0)], "a span is"),
        ([7], "a span is"),
        ("person", "list of spans"),
        (None, "list of spans"),
        ([("persons", 0, 1)], r"no type 'persons' \('person' is close\); its types are .*person"),
        ([("", 0, 1)], "no type ''"),
    ],
    ids=str,
)
def test_spans_that_are_none(tagger, spans, message):
    with pytest.raises(ValueError, match=message):
        tagger.score(["Marta", "Keller"], spans)


@pytest.mark.parametrize("tokens", ["Marta", ["Marta", ""], ["Marta", None], [3], None, ["\ud83d"]])
def test_tokens_that_are_none(tagger, tokens):
    for give in (lambda: tagger.marginals(tokens), lambda: tagger.score(tokens, [])):
        with pytest.raises(ValueError):
            give()


def test_another_model_has_none(tagger):
    other = object.__new__(NerTagger)
    other.__dict__.update(tagger.__dict__, _model=torch.nn.Linear(1, 1))
    with pytest.raises(ConfigurationError, match="the model is a Linear"):
        other.marginals(["Marta"])
