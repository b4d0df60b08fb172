import pytest
import spacy
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.alignment import aligned, sentences_of
from roseq_allennlp.data.documents import Document, Entity, Tally

TEXT = "Ann flies to New-Town's port. Bob left"
tokenize = spacy.blank("en").tokenizer


def align(document, misaligned="expand", **more):
    tally = Tally()
    result = aligned(document, tokenize, misaligned, tally, **more)
    return [(result.text[entity.start : entity.end], entity.label) for entity in result.entities], str(tally), result


def refuse(text):
    raise AssertionError("no tokeniser is needed")


def test_tokens_of_the_language():
    found, counted, result = align(Document(TEXT, [Entity("PER", 0, 3), Entity("LOC", 13, 21)]))
    assert (found, counted) == ([("Ann", "PER"), ("New-Town", "LOC")], "")
    assert result.words() == ["Ann", "flies", "to", "New", "-", "Town", "'s", "port", ".", "Bob", "left"]
    assert result.sentences == [(0, 9), (9, 11)]
    assert [tags for _, tags in sentences_of(result)] == [
        ["U-PER", "O", "O", "B-LOC", "I-LOC", "L-LOC", "O", "O", "O"],
        ["O", "O"],
    ]
    assert align(Document(TEXT), split=False)[2].sentences == [(0, 11)]


def test_spans_that_cut_tokens():
    document = Document(TEXT, [Entity("LOC", 1, 5), Entity("PER", 30, 33)], where="f, line 2")
    found, counted, _ = align(document)
    assert found == [("Ann flies", "LOC"), ("Bob", "PER")]
    assert counted == "spans that cut tokens, grown to them: 1, at f, line 2 'nn f' in ['Ann', 'flies']"
    found, counted, _ = align(document, "skip")
    assert found == [("Bob", "PER")]
    assert counted == "spans that cut tokens, left out: 1, at f, line 2 'nn f' in ['Ann', 'flies']"
    with pytest.raises(
        ConfigurationError, match=r"f, line 2: the span 'nn f' from 1 to 5 cuts a token of \['Ann', 'fl"
    ):
        align(document, "error")


def test_of_overlapping_spans_the_longest_stays():
    spans = [Entity("A", 0, 3), Entity("B", 0, 9), Entity("C", 4, 12), Entity("D", 30, 33), Entity("E", 30, 33)]
    found, counted, _ = align(Document(TEXT, spans, where="x"))
    assert found == [("Ann flies", "B"), ("Bob", "D")]
    assert counted == "overlapping spans left out: 3, at x 'Ann', x 'flies to', x 'Bob'"
    # Two in one token overlap once they have grown to it.
    found, counted, _ = align(Document("AnnBob", [Entity("A", 0, 3), Entity("B", 3, 6)]))
    assert found == [("AnnBob", "A")] and "overlapping spans left out: 1" in counted


def test_white_space():
    text = "In  New \n York \t. "
    found, counted, result = align(Document(text, [Entity("LOC", 3, 15), Entity("X", 2, 4), Entity("X", 7, 9)]))
    assert found == [("New \n York", "LOC")]
    assert "spans with white space at their ends, cut to the text in it: 1" in counted
    assert "spans of white space left out: 2" in counted
    assert result.words() == ["In", "New", "York", "."]
    assert align(Document(" \n ", [Entity("X", 0, 3)]))[2].sentences == []


def test_an_entity_is_in_one_sentence():
    text = "We like Yahoo! Answers. And\n\nthis"
    found, _, result = align(Document(text, [Entity("ORG", 8, 22), Entity("X", 24, 33)]))
    assert found == [("Yahoo! Answers", "ORG"), ("And\n\nthis", "X")]
    assert [len(tags) for _, tags in sentences_of(result)] == [6, 2]


def test_given_tokens_are_kept_and_no_tokeniser_is_asked():
    tokens = [(0, 3), (4, 23), (23, 29)]
    document = Document(TEXT, [Entity("X", 4, 12), Entity("Y", 35, 38)], tokens, where="x")
    tally = Tally()
    result = aligned(document, refuse, "expand", tally)
    assert result.tokens == tokens and result.entities == [Entity("X", 4, 23)]
    assert str(tally) == (
        "spans that cut tokens, grown to them: 2, at x 'flies to' in [\"flies to New-Town's\"], x 'eft' in ['Bob left'];"
        " spans without a token left out: 1, at x 'Bob left'"
    )


def test_given_sentences_are_kept_but_not_within_an_entity():
    document = Document(
        "a b  c d", [Entity("X", 2, 6)], [(0, 1), (2, 3), (3, 5), (5, 6), (7, 8)], [(0, 2), (2, 4), (4, 5)]
    )
    result = aligned(document, refuse, "expand", Tally())
    assert result.words() == ["a", "b", "c", "d"] and result.sentences == [(0, 3), (3, 4)]
