import io

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats import FORMATS, recognised
from roseq_allennlp.data.tag_schemes import Span


def word(number, form, misc):
    return f"{number}\t{form}" + "\t_" * 7 + f"\t{misc}\n"


FILE = (
    "# newdoc id = a\n# sent_id = 1\n# text = Ann in New York.\n"
    + word(1, "Ann", "NER=B-PER")
    + word(2, "in", "NER=O|Gloss=x")
    + word(3, "New", "Gloss=x|NER=B-LOC")
    + word("3.1", "empty", "_")
    + word(4, "York", "NER=I-LOC|SpaceAfter=No")
    + word(5, ".", "NER=O|SpaceAfter=No")
    + "\n# text = Don't\n"
    + word("1-2", "Don't", "_")
    + word(1, "Do", "NER=O")
    + word(2, "n't", "NER=O")
    + "\n# newdoc\n"
    + word(1, "#", "NER=O")
)


def test_documents_sentences_and_spaces(write, read):
    path = write(FILE, "a.conllu")
    assert recognised(path) == "conllu"
    (first, second), counted = read("conllu", path)
    assert (first.text, second.text, counted) == ("Ann in New York.\nDon't", "#", "")
    assert first.entities == [Entity("PER", 0, 3), Entity("LOC", 7, 15)]
    assert first.words() == ["Ann", "in", "New", "York", ".", "Don't"] and first.sentences == [(0, 5), (5, 6)]
    assert second.where == f"{path}, line 17"


@pytest.mark.parametrize("tag", ["B-LOC", "NE=B-LOC", "name=S-LOC", "ner=U-LOC", "NER=B-LOC"])
def test_spellings_without_documents(write, read, tag):
    documents, _ = read(
        "conllu",
        write(
            word("1-2", "du", "_") + word(1, "de", "_") + word(2, "Lac", tag) + "\n\n" + word(1, "x", "O"), "a.conllu"
        ),
    )
    assert [(document.text, document.entities) for document in documents] == [("du", [Entity("LOC", 0, 2)]), ("x", [])]


@pytest.mark.parametrize(
    "content, message",
    [
        ("1\ta\tB-LOC\n", "line 1: 3 columns between tabs, CoNLL-U has 10"),
        (word(1, "", "O"), "line 1: the token in"),
        (word("x", "a", "O"), "line 1: expected the number of a word, got 'x'"),
        (word(1, "a", "NER=X-LOC"), "line 1: 'X-LOC' is no tag"),
        (word(1, "a", "_"), "no word has a tag in its column MISC"),
        ("", "no word has a tag"),
    ],
)
def test_what_is_refused(write, refused, content, message):
    path = write(content, "a.conllu")
    error = refused("conllu", path)
    assert error.startswith(path) and message in error


def test_written_and_read_again(write, read):
    documents, _ = read("conllu", write(FILE, "a.conllu"))
    stream = io.StringIO()
    FORMATS["conllu"].write(documents, stream)
    again, _ = read("conllu", write(stream.getvalue(), "b.conllu"))
    for name in ("text", "entities", "tokens", "sentences"):
        assert [getattr(document, name) for document in again] == [getattr(document, name) for document in documents]
    assert "# text = Ann in New York.\n1\tAnn\t" in stream.getvalue()


@pytest.mark.parametrize("document", [Document.from_words(["a\tb"]), Document.from_words(["a"], [Span("x y", 0, 1)])])
def test_what_cannot_be_written(document):
    with pytest.raises(ConfigurationError, match="holds what CoNLL-U cannot hold"):
        FORMATS["conllu"].write([document], io.StringIO())


def test_unknown_tags(write, read):
    lines = ["NER=?", "NER=B-X", "_", "SpaceAfter=No|NER=O", "?"]
    path = write("".join(f"{n}\tw\t_\t_\t_\t_\t_\t_\t_\t{misc}\n" for n, misc in enumerate(lines, 1)), "a.conllu")
    for unmarked, tag in (("O", "O"), ("unknown", "?")):
        (document,), counted = read("conllu", path, assume_unmarked=unmarked)
        assert document.tags("IOB2") == ["?", "B-X", tag, "O", tag] and counted == ""
