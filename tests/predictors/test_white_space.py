"""White space among tokens, as spaCy's `Doc` has it."""

import spacy
from allennlp.predictors import Predictor
from hypothesis import given, settings
from hypothesis import strategies as st

from roseq_allennlp.data.tag_schemes import Span, invalid_positions, to_spans
from roseq_allennlp.predictors.white_space import with_white_space

WORDS = st.sampled_from(["Marta", "Keller", "flies", "Oslo", " ", "\n\n", "\u00a0", "\t "])


def test_the_tokens_of_a_doc(tagger):
    doc = spacy.blank("en")("Marta Keller  flies\n\nto Oslo ")
    answer = tagger.tag_tokens([token.text for token in doc])
    assert answer["words"] == ["Marta", "Keller", " ", "flies", "\n\n", "to", "Oslo", " "][: len(doc)]
    assert answer["tags"] == ["B-person", "E-person", "O", "O", "O", "O", "S-location", "O"][: len(doc)]
    assert [entity["text"] for entity in answer["entities"]] == ["Marta Keller", "Oslo"]
    assert [entity["start_token"] for entity in answer["entities"]] == [0, 6]


@given(st.lists(WORDS, max_size=12))
@settings(deadline=None, max_examples=60)
def test_other_words_are_tagged_as_without_it(tagger, words):
    answer = tagger.tag_tokens(words)
    text = " ".join(words)
    assert answer["words"] == words and len(answer["tags"]) == len(words)
    assert all(tag == "O" for word, tag in zip(words, answer["tags"], strict=True) if word.isspace())
    assert not invalid_positions(answer["tags"], "BIOES")
    spans = [Span(entity["label"], entity["start_token"], entity["end_token"]) for entity in answer["entities"]]
    assert spans == to_spans(answer["tags"], "BIOES")
    assert all(entity["text"] == text[entity["start"] : entity["end"]] for entity in answer["entities"])
    alone = tagger.tag_tokens([word for word in words if not word.isspace()])
    labels = [tag[2:] for word, tag in zip(words, answer["tags"], strict=True) if not word.isspace()]
    assert labels == [tag[2:] for tag in alone["tags"]]


def test_an_entity_ends_at_white_space():
    output = {
        "tags": ["B-x", "I-x", "I-x", "L-x", "U-x"],
        "entities": [
            {"label": "x", "start_token": 0, "end_token": 4, "probability": 0.5},
            {"label": "x", "start_token": 4, "end_token": 5, "probability": 0.75},
        ],
    }
    result = with_white_space(output, [0, 1, 3, 5, 6], 7)
    assert result["tags"] == ["B-x", "L-x", "O", "U-x", "O", "U-x", "U-x"]
    found = [
        (entity["start_token"], entity["end_token"], entity["probability"], entity["label"])
        for entity in result["entities"]
    ]
    assert found == [(0, 2, 0.5, "x"), (3, 4, 0.5, "x"), (5, 6, 0.5, "x"), (6, 7, 0.75, "x")]


def test_top_k(archive_path):
    answer = Predictor.from_path(archive_path, overrides='{"model.top_k": 2}').tag_tokens(
        ["Marta", " ", "Keller", "\n"]
    )
    assert len(answer["top_k_tags"]) == 2
    for path in answer["top_k_tags"]:
        assert len(path["tags"]) == 4 and path["tags"][1] == path["tags"][3] == "O"
        assert not invalid_positions(path["tags"], "BIOES")
