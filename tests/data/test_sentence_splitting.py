import pytest
import spacy
from spacy.tokens import Doc

from roseq_allennlp.data.sentence_splitting import split_sentences

NLP = spacy.blank("en")


def texts(doc, sentences):
    assert [sentence[0] for sentence in sentences] == [0, *(sentence[1] for sentence in sentences)][: len(sentences)]
    assert not sentences or sentences[-1][1] == len(doc)
    return ["".join(token.text_with_ws for token in doc[start:end]) for start, end in sentences]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        (" \n", [" \n"]),
        ("One two", ["One two"]),
        ("One. Two! Three", ["One. ", "Two! ", "Three"]),
        ('"One." Two', ['"One." ', "Two"]),
        ("One\nline", ["One\nline"]),
        ("One\n\nTwo", ["One\n\n", "Two"]),
        ("One\r\n\r\nTwo\n \t\nThree\r\rFour", ["One\r\n\r\n", "Two\n \t\n", "Three\r\r", "Four"]),
        ("One\r\nline", ["One\r\nline"]),
        (" \n\n One.  \n\n Two \n\n", [" \n\n One.  \n\n ", "Two \n\n"]),
    ],
)
def test_sentences(text, expected):
    doc = NLP.tokenizer(text)
    assert texts(doc, split_sentences(doc)) == expected


def test_spans_are_whole():
    doc = NLP.tokenizer("At St. Mary in Oslo. Yes.\n\nNo")
    assert len(split_sentences(doc)) == 3
    start = next(token.i for token in doc if token.text == "St.")
    assert texts(doc, split_sentences(doc, [(1, start + 2)]))[0].startswith("At St. Mary in Oslo.")
    assert texts(doc, split_sentences(doc, [(0, len(doc))])) == [doc.text]


def test_the_starts_of_another_pipe():
    doc = Doc(NLP.vocab, words=["One", ".", "two", "three"], sent_starts=[True, False, False, True])
    assert split_sentences(doc, set_starts=False) == [(0, 3), (3, 4)]
    assert split_sentences(doc) == [(0, 3), (3, 4)]  # which stand
