"""The pipe of spaCy gives what the tagger gives, and is a pipe like spaCy's own."""

import json
import pickle
import shutil
import subprocess
import sys

import pytest
import spacy
from allennlp.common.checks import ConfigurationError
from confection import ConfigValidationError
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore

import roseq_allennlp
import roseq_spacy  # noqa: F401
from roseq_allennlp.models.archive import with_settings

TEXT = "Marta Keller flies to Oslo"
CORPORA = [
    "conll2002/ned.testb",
    "conll2002/esp.testb",
    "wnut16/test",
    "wnut17/emerging.test.annotated",
    "wnut17/emerging.dev.conll",
]


def pipeline_of(archive, **config):
    nlp = spacy.blank("en")
    nlp.add_pipe("roseq", config={"archive": str(archive), **config})
    return nlp


@pytest.fixture(scope="module")
def nlp(archive_path):
    return pipeline_of(archive_path)


@pytest.fixture(scope="module")
def calibrated(archive_path, tmp_path_factory):
    """With a threshold that leaves out the person of `TEXT`."""
    path = tmp_path_factory.mktemp("calibrated") / "model.tar.gz"
    with_settings(archive_path, path, {"thresholds": {"person": 1.0}})
    return path


def of(doc):
    return [(span.start, span.end, span.label_) for span in doc.ents]


def characters(doc):
    return [(span.start_char, span.end_char, span.label_) for span in doc.ents]


def of_answer(answer):
    return [(entity["start"], entity["end"], entity["label"]) for entity in answer["entities"]]


def test_importing_the_factory_imports_neither_allennlp_nor_the_package():
    code = "import sys, roseq_spacy; sys.exit('allennlp' in sys.modules or 'roseq_allennlp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_as_the_tagger(nlp, tagger, repository):
    """On each sentence of the fixtures' corpora, as a text, one by one and in batches."""
    texts = []
    for name in CORPORA:
        blocks = (repository / "fixtures" / name).read_text(encoding="utf-8").strip().split("\n\n")
        texts += [" ".join(line.split()[0] for line in block.splitlines() if line.strip()) for block in blocks]
    nlp.tokenizer = spacy.blank(tagger.description.language).tokenizer
    docs = list(nlp.pipe(texts, batch_size=7))
    assert len(docs) == len(texts) > 90 and sum(len(doc.ents) for doc in docs) > 50
    for text, doc in zip(texts, docs, strict=True):
        answer = tagger.tag(text)
        assert characters(doc) == characters(nlp(text)) == of_answer(answer) == of_answer(doc._.roseq)
        probabilities = [entity["probability"] for entity in answer["entities"]]
        assert [span._.probability for span in doc.ents] == pytest.approx(probabilities, abs=1e-4)


@pytest.mark.parametrize(
    "text",
    ["", " ", " \n\n ", f" {TEXT}\n", "Marta Keller  flies\n\nto Oslo", "Marta\nKeller flies to \tOslo", "\u00a0Oslo"],
)
def test_white_space_is_passed_over_as_in_texts(nlp, tagger, text):
    doc = nlp(text)
    assert characters(doc) == of_answer(tagger.tag(text))
    assert doc.text == text and [span.text for span in doc.ents] == [e["text"] for e in doc._.roseq["entities"]]


def test_the_tokens_of_the_pipeline_are_kept(nlp, tagger):
    words = ["(Oslo", ")", "Marta", "Keller-"]
    doc = nlp(Doc(nlp.vocab, words=words, spaces=[False, True, True, False]))
    entities = tagger.tag_tokens(words)["entities"]
    assert of(doc) == [(e["start_token"], e["end_token"], e["label"]) for e in entities] != []


def test_sentences_of_the_pipeline(archive_path, tagger):
    """Entities end where sentences do; without a pipe for them, a doc is one sentence."""

    @spacy.Language.component("after_marta")
    def after_marta(doc):
        for token in doc:
            token.is_sent_start = token.i in (0, 1)
        return doc

    nlp = pipeline_of(archive_path)
    assert of(nlp(TEXT)) == [(0, 2, "person"), (4, 5, "location")]
    nlp.add_pipe("after_marta", first=True)
    first, second = (tagger.tag_tokens(words)["entities"] for words in (["Marta"], TEXT.split()[1:]))
    expected = [e["start_token"] for e in first] + [1 + e["start_token"] for e in second]
    doc = nlp(TEXT)
    assert [span.start for span in doc.ents] == expected and all(span.start > 0 or span.end == 1 for span in doc.ents)


@pytest.mark.parametrize("overwrite", [False, True])
def test_entities_of_others(archive_path, overwrite):
    nlp = spacy.blank("en")
    patterns = [{"label": "X", "pattern": "Keller"}, {"label": "location", "pattern": "Oslo"}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    config = {"archive": str(archive_path), "overwrite_ents": overwrite, "spans_key": "sc"}
    nlp.add_pipe("roseq", config=config)
    doc = nlp(TEXT)
    assert of(doc) == [(0, 2, "person") if overwrite else (1, 2, "X"), (4, 5, "location")]
    assert [(span.text, span.label_) for span in doc.spans["sc"]] == [("Marta Keller", "person"), ("Oslo", "location")]
    assert doc.spans["sc"][0]._.probability > 0.5 and Span(doc, 1, 2, label="X")._.probability is None
    # One of the same ends and another type is not the tagger's.
    assert Span(doc, 0, 2, label="X")._.probability is None


def test_entities_of_pipes_after_it(archive_path):
    nlp = pipeline_of(archive_path)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "Keller"}, {"label": "Y", "pattern": "flies"}])
    assert of(nlp(TEXT)) == [(0, 2, "person"), (2, 3, "Y"), (4, 5, "location")]


@pytest.mark.parametrize(
    "threshold, texts",
    [(1.0, []), ({"person": 1.0}, ["Oslo"]), (0, ["Marta Keller", "Oslo"]), (None, ["Marta Keller", "Oslo"])],
)
@pytest.mark.parametrize("review", [False, True])
def test_min_probability(archive_path, threshold, texts, review):
    doc = pipeline_of(archive_path, min_probability=threshold, review=review, spans_key="sc")(TEXT)
    kept = ["Marta Keller", "Oslo"] if review else texts
    assert [span.text for span in doc.ents] == [span.text for span in doc.spans["sc"]] == kept
    assert [span.text for span in doc.ents if not span._.review] == texts
    entities = doc._.roseq["entities"]
    assert [entity["text"] for entity in entities] == ["Marta Keller", "Oslo"]
    assert [entity["text"] for entity in entities if not entity.get("review")] == texts


def test_calibrated_thresholds(calibrated, tmp_path):
    nlp = pipeline_of(calibrated, min_probability="calibrated")
    assert [span.text for span in nlp(TEXT).ents] == ["Oslo"]
    nlp.to_disk(tmp_path)
    assert [span.text for span in spacy.load(tmp_path)(TEXT).ents] == ["Oslo"]


@pytest.mark.parametrize(
    "config, says",
    [
        ({"min_probability": 7}, "pipe roseq: min_probability must be from 0 to 1; got 7"),
        ({"min_probability": {"nobody": 0.5}}, "pipe roseq: min_probability names types that the tagger lacks"),
        ({"min_probability": "calibrated"}, "pipe roseq: the archive has no thresholds"),
        ({"min_probability": "high"}, "pipe roseq: min_probability must be a number, a dictionary or 'calibrated'"),
        ({"archive": "nowhere", "min_probability": -1}, "must be from 0 to 1; got -1 for all types"),
        ({"archive": None, "min_probability": {"person": 2}}, "must be from 0 to 1; got 2 for person"),
        ({"archive": "setup.py"}, "setup.py: cannot be read as an archive"),
    ],
)
def test_bad_values(archive_path, config, says):
    with pytest.raises(ConfigurationError, match=says):
        spacy.blank("en").add_pipe("roseq", config={"archive": str(archive_path), **config})


@pytest.mark.parametrize(
    "config",
    [{"min_probability": True}, {"min_probability": [1]}, {"min_probability": {"person": "x"}}, {"review": "no"}]
    + [{"overwrite_ents": 2}, {"spans_key": 3}, {"archive": 3}, {"min_probabilty": 0.5}],
)
def test_types_of_the_config_are_checked_by_spacy(config):
    with pytest.raises(ConfigValidationError, match=next(iter(config))):
        spacy.blank("en").add_pipe("roseq", config=config)


@pytest.mark.parametrize("archive", [None, ""])
def test_without_an_archive(archive):
    nlp = spacy.blank("en")
    nlp.add_pipe("roseq", config={"archive": archive})
    with pytest.raises(ConfigurationError, match="has no archive: set `archive`"):
        nlp("Oslo")


def test_an_archive_that_is_not_there_is_missed_when_it_is_needed():
    nlp = pipeline_of("nowhere.tar.gz")
    with pytest.raises(ConfigurationError, match=r"nowhere.tar.gz: no such archive"):
        nlp("Oslo")


def test_a_saved_pipeline_has_the_archive(archive_path, tmp_path):
    nlp = pipeline_of(archive_path, min_probability={"person": 1.0})
    nlp.to_disk(tmp_path / "saved")
    assert sorted(path.name for path in (tmp_path / "saved" / "roseq").iterdir()) == ["model.tar.gz"]
    config = {"components.roseq.archive": str(tmp_path / "gone")}
    loaded = spacy.load(tmp_path / "saved", config=config)
    assert of(loaded(TEXT)) == [(4, 5, "location")]
    assert loaded.meta["labels"]["roseq"] == list(roseq_allennlp.load(archive_path).labels)
    loaded.to_disk(tmp_path / "saved")  # over itself
    again = spacy.load(tmp_path / "saved", config=config)
    shutil.rmtree(tmp_path / "saved")
    again.to_disk(tmp_path / "saved")
    assert of(spacy.load(tmp_path / "saved", config=config)(TEXT)) == [(4, 5, "location")]
    other = spacy.blank("en")
    other.add_pipe("roseq")
    assert of(other.from_bytes(nlp.to_bytes())(TEXT)) == [(0, 2, "person"), (4, 5, "location")]
    assert other.to_bytes() == nlp.to_bytes() or other.get_pipe("roseq").to_bytes() == nlp.get_pipe("roseq").to_bytes()


def test_damaged_bytes(nlp, tmp_path):
    pipe = spacy.blank("en").add_pipe("roseq")
    with pytest.raises(ConfigurationError, match="^the archive of the pipe roseq: cannot be read as an archive"):
        pipe.from_bytes(nlp.get_pipe("roseq").to_bytes()[:1000])
    with pytest.raises(ConfigurationError, match=r"model.tar.gz: no such archive"):
        pipe.from_disk(tmp_path)


def test_what_is_saved_is_what_was_loaded(archive_path, calibrated, tmp_path):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(archive_path.read_bytes())
    nlp = pipeline_of(path)
    path.write_bytes(calibrated.read_bytes())
    with pytest.raises(ConfigurationError, match="has changed since it was loaded"):
        nlp.to_disk(tmp_path / "saved")
    assert not (tmp_path / "saved" / "roseq").exists()


def test_saved_docs_keep_probabilities(nlp):
    doc = nlp(TEXT)
    read = Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes())
    (packed,) = DocBin(store_user_data=True, docs=[doc]).get_docs(spacy.blank("en").vocab)
    for other in (read, packed):
        assert list(other._.roseq["entities"]) == doc._.roseq["entities"]
        assert [span._.probability for span in other.ents] == [span._.probability for span in doc.ents]
    assert json.loads(json.dumps(doc._.roseq)) == doc._.roseq


def test_select_pipes(nlp):
    with nlp.select_pipes(disable="roseq"):
        doc = nlp(TEXT)
        assert of(doc) == [] and doc._.roseq is None and doc[:2]._.probability is None
    with nlp.select_pipes(enable="roseq"):
        assert len(of(nlp(TEXT))) == 2


def test_two_processes(nlp):
    docs = list(nlp.pipe([TEXT, "so happy in Porto"] * 4, n_process=2, batch_size=2))
    assert [of(doc) for doc in docs] == [of(nlp(TEXT)), of(nlp("so happy in Porto"))] * 4
    assert docs[0].ents[0]._.probability == pytest.approx(nlp(TEXT).ents[0]._.probability, abs=1e-4)


def test_what_is_sent_to_processes_that_are_spawned(archive_path):
    """Which would each import AllenNLP."""
    nlp = pipeline_of(archive_path, min_probability={"person": 1.0}, review=True)
    pipe, state = pickle.loads(pickle.dumps((nlp.get_pipe("roseq"), Underscore.get_state())))
    doc = pipe(nlp.make_doc(TEXT))
    assert [(span.text, span._.review) for span in doc.ents] == [("Marta Keller", True), ("Oslo", False)]
    assert state == Underscore.get_state() and {"probability", "review"} <= Underscore.span_extensions.keys()


def test_an_error_handler_is_told_and_the_others_go_on(archive_path, monkeypatch):
    nlp = pipeline_of(archive_path)
    told = []
    nlp.set_error_handler(lambda name, pipe, docs, error: told.append((name, [doc.text for doc in docs], str(error))))
    monkeypatch.setitem(sys.modules["roseq_allennlp.predictors.sentences"].LONGEST, "tokens", 100)
    docs = list(nlp.pipe([TEXT, "a" * 101, TEXT]))
    assert [len(doc.ents) for doc in docs] == [2, 2]
    assert told == [("roseq", ["a" * 101], told[0][2])] and "more than 100" in told[0][2]
    assert len(nlp("a" * 101).ents) == 0 and len(told) == 2
    with pytest.raises(ValueError, match="more than 100"):
        pipeline_of(archive_path)("a" * 101)


def test_score(archive_path):
    nlp = pipeline_of(archive_path, spans_key="sc")
    gold = nlp.make_doc(TEXT)
    gold.ents = [Span(gold, 0, 2, "person"), Span(gold, 3, 5, "location")]
    gold.spans["sc"] = gold.ents
    scores = nlp.evaluate([spacy.training.Example(nlp.make_doc(gold.text), gold)])
    assert (scores["ents_p"], scores["ents_r"], scores["ents_per_type"]["person"]["f"]) == (0.5, 0.5, 1.0)
    assert scores["spans_sc_f"] == 0.5
