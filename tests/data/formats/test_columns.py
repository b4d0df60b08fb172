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
        Document.from_words(["c"], [Span("X", 0, 1)]),
    ]
    stream = io.StringIO()
    FORMATS["columns"].write(documents, stream)
    first = "Ann\tB-PER\nLee\tI-PER\nin\tO\nNew York\tB-geo loc\n\n"
    start = "-DOCSTART-\tO\n\n"
    assert stream.getvalue() == f"{first}{start}a\tO\n\nb\tO\n\n{start}c\tB-X\n\n"
    again, _ = read("columns", write(stream.getvalue(), "b.conll"))
    assert [document.words() for document in again] == [["Ann", "Lee", "in", "New York"], ["a", "b"], ["c"]]
    assert [document.sentences for document in again] == [[(0, 4)], [(0, 1), (1, 2)], [(0, 1)]]


def test_documents_of_conll2003(write, read):
    path = write(
        "-DOCSTART- -X- O O\n\nAnn NNP O I-PER\nLee NNP O I-PER\n\nin IN O O\nOslo NNP O I-LOC\n\n-DOCSTART- -X- O O\n\n"
        "-DOCSTART- -X- O O\n\nBob NNP O I-PER\n",
        "eng.testa",
    )
    documents, _ = read("columns", path)
    assert [(document.text, document.entities, document.sentences) for document in documents] == [
        ("Ann Lee\nin Oslo", [Entity("PER", 0, 7), Entity("LOC", 11, 15)], [(0, 2), (2, 4)]),
        ("Bob", [Entity("PER", 0, 3)], [(0, 1)]),
    ]
    assert [document.where for document in documents] == [f"{path}, line 3", f"{path}, line 13"]
    assert documents[0].words() == ["Ann", "Lee", "in", "Oslo"]


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "a\rb"])
def test_what_cannot_be_written(word):
    with pytest.raises(ConfigurationError, match="x: the token .* holds a tab or a line end"):
        FORMATS["columns"].write([Document.from_words([word], where="x")], io.StringIO())
