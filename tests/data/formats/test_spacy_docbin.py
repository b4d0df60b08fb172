import pytest
import spacy
from allennlp.common.checks import ConfigurationError
from spacy.tokens import Doc, DocBin, Span

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats import FORMATS, recognised


def test_what_spacy_wrote_is_read(tmp_path, read):
    nlp = spacy.blank("en")
    doc = nlp("Ann's  in New York. 😍")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 4, 6, "LOC")]
    split = nlp("One. Two.")
    split[0].is_sent_start, split[1].is_sent_start, split[2].is_sent_start, split[3].is_sent_start = (
        True,
        False,
        True,
        False,
    )
    path = tmp_path / "train.spacy"
    DocBin(docs=[doc, split]).to_disk(path)
    assert recognised(str(path)) == "spacy"
    (first, second), counted = read("spacy", path)
    assert (first.text, first.entities, counted) == (doc.text, [Entity("PER", 0, 3), Entity("LOC", 10, 18)], "")
    assert first.words() == [token.text for token in doc] and first.sentences is None
    assert second.sentences == [(0, 2), (2, 4)]


def test_what_is_written_spacy_reads(tmp_path, read):
    text = " In  New\nYork 😍Oslo "
    tokens = [(1, 3), (5, 8), (9, 13), (14, 15), (15, 19)]
    document = Document(text, [Entity("LOC", 5, 13), Entity("LOC", 15, 19)], tokens, [(0, 3), (3, 5)])
    path = str(tmp_path / "out.spacy")
    FORMATS["spacy"].write([document], path)
    (doc,) = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    assert doc.text == text and [(ent.text, ent.label_) for ent in doc.ents] == [("New\nYork", "LOC"), ("Oslo", "LOC")]
    assert [sentence.text for sentence in doc.sents] == [" In  New\nYork", "😍Oslo"]
    (again,), _ = read("spacy", path)
    assert again.entities == document.entities
    assert [token for token in again.tokens if text[slice(*token)].strip()] == tokens


def test_groups_of_spans_are_counted(tmp_path, read):
    doc = spacy.blank("en")("Ann left")
    doc.spans["sc"] = [Span(doc, 0, 1, "PER")]
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    (document,), counted = read("spacy", tmp_path / "a.spacy")
    assert document.entities == [] and counted.startswith(
        "documents with spans in `doc.spans` alone, which are not read: 1"
    )


def test_damaged_files(tmp_path, refused):
    path = tmp_path / "train.spacy"
    DocBin(docs=[Doc(spacy.blank("en").vocab, words=["a"])]).to_disk(path)
    data = path.read_bytes()
    for damaged in (b"", b"text", data[:-5], data[:20] + b"\x00" + data[21:]):
        path.write_bytes(damaged)
        assert refused("spacy", path).startswith(f"{path}: document 1 cannot be read as a DocBin of spaCy")


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ConfigurationError, match="binary, which cannot go to standard output"):
        FORMATS["spacy"].write([], "-")
    with pytest.raises(ConfigurationError, match="x: the entity 'a' does not begin and end with a token"):
        FORMATS["spacy"].write([Document("ab", [Entity("X", 0, 1)], [(0, 2)], where="x")], str(tmp_path / "x.spacy"))


def test_missing_annotation_is_unknown(tmp_path, read):
    """In what spaCy wrote, and in what is written for spaCy."""
    nlp = spacy.blank("en")
    partial, blank, whole, blocked = (nlp("Ann left  Oslo today") for _ in range(4))
    partial.set_ents([Span(partial, 0, 1, "PER")], missing=[partial[3:4]])
    whole.ents = []
    blocked.set_ents([], blocked=[blocked[0:1]])
    path = tmp_path / "a.spacy"
    DocBin(docs=[partial, blank, whole, blocked]).to_disk(path)
    documents, _ = read("spacy", path)
    tags = [document.tags("IOB2") for document in documents]
    assert tags == [["B-PER", "O", "O", "?", "O"], ["?"] * 5, ["O"] * 5, ["O"] * 5]
    FORMATS["spacy"].write(documents, str(path))
    written = DocBin().from_disk(path).get_docs(nlp.vocab)
    assert [[token.ent_iob for token in doc] for doc in written] == [[3, 2, 2, 0, 2], [0] * 5, [2] * 5, [2] * 5]
    assert [document.tags("IOB2") for document in read("spacy", path)[0]] == tags
