import io

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats import FORMATS, recognised
from roseq_allennlp.data.tag_schemes import Span


def test_read_by_the_reader_of_columns(write, read):
    path = write("Ann NNP I-PER\nLee NNP I-PER\n\nin IN O\nNew_York NNP I-LOC\n", "a.conll")
    assert recognised(path) == "columns"
    documents, _ = read("columns", path)
    assert [(document.text, document.entities, document.sentences) for document in documents] == [
        ("Ann Lee", [Entity("PER", 0, 7)], [(0, 2)]),
        ("in New_York", [Entity("LOC", 3, 11)], [(0, 2)]),
    ]
    documents, _ = read("columns", path, columns={"token_column": 1})
    assert documents[0].text == "NNP NNP"


def test_an_unknown_parameter(write, read):
    with pytest.raises(ConfigurationError, match="nope"):
        read("columns", write("a O\n", "a.conll"), columns={"nope": 1})


def test_written(write, read):
    documents = [
        Document.from_words(["Ann", "Lee", "in", "New York"], [Span("PER", 0, 2), Span("geo loc", 3, 4)]),
        Document.from_words(["a", "b"], sentences=[(0, 1), (1, 2)]),
    ]
    stream = io.StringIO()
    FORMATS["columns"].write(documents, stream)
    assert stream.getvalue() == "Ann\tB-PER\nLee\tI-PER\nin\tO\nNew York\tB-geo loc\n\na\tO\n\nb\tO\n\n"
    again, _ = read("columns", write(stream.getvalue(), "b.conll"), columns={"separator": "\t"})
    assert [document.words() for document in again] == [["Ann", "Lee", "in", "New York"], ["a"], ["b"]]


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "a\rb"])
def test_what_cannot_be_written(word):
    with pytest.raises(ConfigurationError, match="x: the token .* holds a tab or a line end"):
        FORMATS["columns"].write([Document.from_words([word], where="x")], io.StringIO())
