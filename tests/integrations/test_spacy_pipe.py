"""The pipe of spaCy gives what the tagger gives."""

import subprocess
import sys

import pytest
import spacy
from allennlp.common.checks import ConfigurationError
from spacy.tokens import Doc, Span

import roseq_spacy  # noqa: F401

TEXT = "Marta Keller  flies\n\nto Oslo"


@pytest.fixture(scope="module")
def nlp(archive_path):
    pipeline = spacy.blank("en")
    pipeline.add_pipe("roseq", config={"archive": str(archive_path)})
    return pipeline


def of(doc):
    return [(span.start, span.end, span.label_) for span in doc.ents]


def test_importing_the_factory_imports_neither_allennlp_nor_the_package():
    code = "import sys, roseq_spacy; sys.exit('allennlp' in sys.modules or 'roseq_allennlp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_as_the_tagger(nlp, tagger, repository):
    texts = (repository / "fixtures" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    docs = [Doc(nlp.vocab, words=text.split()) for text in texts]
    for doc in docs:
        doc[0].is_sent_start = True
        for token in doc[1:]:
            token.is_sent_start = False
    for doc in nlp.pipe(docs, batch_size=2):
        entities = tagger.tag_tokens([token.text for token in doc])["entities"]
        assert of(doc) == [(e["start_token"], e["end_token"], e["label"]) for e in entities]
        assert [s._.probability for s in doc.ents] == pytest.approx([e["probability"] for e in entities], abs=1e-4)
        assert [e["start"] for e in doc._.roseq["entities"]] == [s.start_char for s in doc.ents]


def test_white_space_and_nothing(nlp):
    assert of(nlp(TEXT)) == [(0, 2, "person"), (6, 7, "location")]
    assert of(nlp("")) == of(nlp(" \n\n ")) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_entities_of_others(archive_path, overwrite):
    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "Keller"}])
    config = {"archive": str(archive_path), "overwrite_ents": overwrite, "spans_key": "sc"}
    pipeline.add_pipe("roseq", config=config)
    doc = pipeline("Marta Keller flies to Oslo")
    assert of(doc) == [(0, 2, "person") if overwrite else (1, 2, "X"), (4, 5, "location")]
    assert [span.text for span in doc.spans["sc"]] == ["Marta Keller", "Oslo"]


@pytest.mark.parametrize("threshold, number", [(1.0, 0), ({"person": 1.0}, 1), (0.0, 2)])
def test_min_probability(archive_path, threshold, number):
    pipeline = spacy.blank("en")
    pipeline.add_pipe("roseq", config={"archive": str(archive_path), "min_probability": threshold})
    assert len(pipeline("Marta Keller flies to Oslo").ents) == number


def test_a_saved_pipeline_has_the_archive(nlp, tmp_path):
    nlp.to_disk(tmp_path / "saved")
    expected = of(nlp(TEXT))
    config = {"components.roseq.archive": str(tmp_path / "gone")}
    assert of(spacy.load(tmp_path / "saved", config=config)(TEXT)) == expected
    other = spacy.blank("en")
    other.add_pipe("roseq")
    assert of(other.from_bytes(nlp.to_bytes())(TEXT)) == expected


@pytest.mark.parametrize("archive, says", [(None, "has no archive"), ("nowhere.tar.gz", "no such archive")])
def test_without_an_archive(archive, says):
    pipeline = spacy.blank("en")
    pipeline.add_pipe("roseq", config={"archive": archive})
    with pytest.raises(ConfigurationError, match=says):
        pipeline("Oslo")


def test_two_processes(nlp):
    assert [of(doc) for doc in nlp.pipe([TEXT] * 4, n_process=2, batch_size=2)] == [of(nlp(TEXT))] * 4


def test_score(nlp):
    gold = nlp.make_doc("Marta Keller flies to Oslo")
    gold.ents = [Span(gold, 0, 2, "person"), Span(gold, 4, 5, "location")]
    assert nlp.evaluate([spacy.training.Example(nlp.make_doc(gold.text), gold)])["ents_f"] == 1.0
