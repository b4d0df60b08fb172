"""Documents: sentences, and entities in them, by offsets of the text as it came."""

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

import roseq_allennlp
from roseq_allennlp.data import tokenizers
from roseq_allennlp.predictors import NerTagger

TEXT = "Marta Keller flies to Oslo. Then to\nLisbon!\n\n Porto \r\n \r\nMarta\n\nKeller is in  Lisbon"
SENTENCES = ["Marta Keller flies to Oslo.", "Then to\nLisbon!", "Porto", "Marta", "Keller is in  Lisbon"]


@Language.component("at_semicolons")
def at_semicolons(doc):
    for token in doc:
        token.is_sent_start = token.i == 0 or doc[token.i - 1].text == ";"
    return doc


def checked(text, answer):
    """The answer, after what holds for every document has been looked at; its sentences as pieces of the text."""
    assert answer.keys() == {"words", "tags", "entities", "sentences"}
    assert len(answer["words"]) == len(answer["tags"])
    assert "".join(answer["words"]) == "".join(text.split()) or "\x00" in text
    token, end = 0, 0
    for sentence in answer["sentences"]:
        assert sentence["start_token"] == token < sentence["end_token"] and end <= sentence["start"] < sentence["end"]
        token, end = sentence["end_token"], sentence["end"]
        words = answer["words"][sentence["start_token"] : sentence["end_token"]]
        assert "".join(words) == "".join(text[sentence["start"] : sentence["end"]].split())
    assert token == len(answer["words"])
    for entity in answer["entities"]:
        assert entity["text"] == text[entity["start"] : entity["end"]]
        assert answer["words"][entity["start_token"] : entity["end_token"]] == entity["text"].split()
        assert any(
            sentence["start_token"] <= entity["start_token"] and entity["end_token"] <= sentence["end_token"]
            for sentence in answer["sentences"]
        )
    return [text[sentence["start"] : sentence["end"]] for sentence in answer["sentences"]]


def test_a_document(tagger):
    answer = tagger.tag_document(TEXT)
    assert checked(TEXT, answer) == SENTENCES
    found = [entity["text"] for entity in answer["entities"]]
    assert {"Marta Keller", "Oslo", "Lisbon", "Porto", "Marta", "Keller"} <= set(found)
    for sentence, bounds in zip(SENTENCES, answer["sentences"], strict=True):
        alone = tagger.tag(sentence)
        assert alone["tags"] == answer["tags"][bounds["start_token"] : bounds["end_token"]]


@given(
    st.lists(
        st.sampled_from(["Marta", "Keller", "Oslo", ". ", "! ", "\n", "\n\n", "\r\n\r\n", " ", "\t", "。", "\u200b"])
    )
)
@settings(deadline=None, max_examples=60)
def test_any_document(tagger, pieces):
    text = "".join(pieces)
    checked(text, tagger.tag_document(text))


def test_documents_among_sentences_and_tokens(tagger, archive_path):
    rows = [{"text": TEXT}, {"sentence": TEXT}, {"tokens": TEXT.split()}, {"text": ""}, {"text": 3}, {"text": "Oslo"}]
    answers = tagger.predict_batch_json(rows)
    assert checked(TEXT, answers[0]) == SENTENCES and checked("Oslo", answers[5]) == ["Oslo"]
    assert "sentences" not in answers[1] and "sentences" not in answers[2]
    assert answers[3] == {"words": [], "tags": [], "entities": [], "sentences": []}
    assert "must be a string" in answers[4]["error"]
    several = roseq_allennlp.load(archive_path, processes=2)
    for answer in several.predict_batch_json(rows * 100)[::6]:
        assert checked(TEXT, answer) == SENTENCES and answer["tags"] == answers[0]["tags"]


@pytest.mark.parametrize("wrong", [None, 3, b"Oslo", ["Oslo"]])
def test_what_is_no_document_raises(tagger, wrong):
    with pytest.raises(ValueError, match="`text` must be a string"):
        tagger.tag_document(wrong)


def test_top_k_paths_are_the_sentences_own(archive_path):
    tagger = Predictor.from_path(archive_path, overrides='{"model.top_k": 2}')
    answer = tagger.tag_document("Marta Keller flies. She is in Oslo.")
    for bounds in answer["sentences"]:
        first, second = bounds["top_k_tags"]
        assert first["tags"] == answer["tags"][bounds["start_token"] : bounds["end_token"]] != second["tags"]
    assert "top_k_tags" not in answer


def test_a_pipe_of_the_user_s(archive_path):
    tagger = roseq_allennlp.load(archive_path, sentence_pipe="at_semicolons")
    text = "Marta flies. No; Oslo\n\nis; far"
    assert checked(text, tagger.tag_document(text)) == ["Marta flies. No;", "Oslo", "is;", "far"]


@pytest.mark.parametrize("name", ["no_such_pipe", "senter"])
def test_a_pipe_that_cannot_be(archive_path, name):
    tagger = roseq_allennlp.load(archive_path, sentence_pipe=name)
    assert tagger.tag("Marta")["words"] == ["Marta"]
    with pytest.raises(ConfigurationError, match=f"pipe '{name}'[^\n]*`sentencizer`[^\n]*$"):
        tagger.tag_document("Marta")


def test_no_tokeniser_is_made_for_tokens(tagger, monkeypatch):
    def missing(language):
        raise ImportError("Japanese support requires SudachiPy")

    monkeypatch.setattr(tokenizers.spacy, "blank", missing)
    japanese = NerTagger(tagger._model, tagger._dataset_reader, language="ja")
    assert japanese.tag_tokens(["Oslo"])["tags"] == ["S-location"]
    for tag in (japanese.tag, japanese.tag_document):
        with pytest.raises(ConfigurationError, match="'ja' needs a package .* SudachiPy"):
            tag("Oslo")
