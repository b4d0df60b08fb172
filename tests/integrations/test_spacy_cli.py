"""spaCy's own programs on pipelines with `roseq`, and on what `roseq convert` writes."""

import importlib
import json
import os
import re
import subprocess
import sys
import tarfile

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import roseq_spacy  # noqa: F401

TRAIN, DEV = "fixtures/wnut17/wnut17train.conll", "fixtures/wnut17/emerging.dev.conll"
TEST = "fixtures/wnut17/emerging.test.annotated"


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, (result.output, result.exception)
    return re.sub(r"\x1b\[[\d;]*m", "", result.output)


@pytest.fixture(scope="module")
def pipeline(archive_path, tmp_path_factory):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("roseq", config={"archive": str(archive_path)})
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "group", "pattern": "Harbour Choir"}])
    path = tmp_path_factory.mktemp("pipeline") / "saved"
    nlp.to_disk(path)
    return path


@pytest.fixture
def test_docs(roseq, tmp_path):
    path = tmp_path / "test.spacy"
    assert roseq("convert", TEST, path, "--language", "en").status == 0
    return path


def test_evaluate_finds_the_factory_by_its_entry_point_alone(pipeline, test_docs, repository, archive_path, tmp_path):
    """In a process that imports nothing of this project, with the metadata that an installation has."""
    build = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(build, cwd=repository, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{repository}"}
    command = [sys.executable, "-m", "spacy", "evaluate", pipeline, test_docs, "-o", tmp_path / "scores.json"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    scores = json.loads((tmp_path / "scores.json").read_text())
    tagger_alone = spacy.load(pipeline, exclude=["entity_ruler"])
    gold = list(DocBin().from_disk(test_docs).get_docs(tagger_alone.vocab))
    correct = predicted = 0
    for doc in gold:
        spans = {(span.start, span.end, span.label_) for span in doc.ents}
        ours = {(span.start, span.end, span.label_) for span in tagger_alone(doc.text).ents}
        correct, predicted = correct + len(spans & ours), predicted + len(ours)
    assert scores["ents_p"] == pytest.approx(correct / predicted) and scores["ents_f"] > 0.7
    assert scores["ents_per_type"].keys() >= {"person", "location"} and scores["sents_f"] > 0.5


def test_benchmark_speed(pipeline, test_docs):
    output = run("benchmark", "speed", pipeline, test_docs, "--batches", 30, "--warmup", 1)
    assert float(re.search(r"Mean: ([\d.]+) words/s", output)[1]) > 100


def test_package(pipeline, tmp_path, monkeypatch):
    run("package", pipeline, tmp_path, "--name", "tagger", "--version", "1.2.3", "--build", "none")
    package = tmp_path / "en_tagger-1.2.3"
    subprocess.run([sys.executable, "setup.py", "-q", "sdist"], cwd=package, check=True, capture_output=True)
    with tarfile.open(package / "dist" / "en_tagger-1.2.3.tar.gz") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    monkeypatch.syspath_prepend(tmp_path / "unpacked" / "en_tagger-1.2.3")
    nlp = importlib.import_module("en_tagger").load(config={"components.roseq.archive": "gone"})
    assert [span.text for span in nlp("Marta Keller flies to Oslo").ents] == ["Marta Keller", "Oslo"]


def sentences(path):
    """Words and tags of a file of columns, read without the package; documents are not told apart."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    rows = [[tuple(line.split("\t")) for line in block.splitlines() if line.strip()] for block in blocks]
    return [block for block in rows if block and block[0][0] != "-DOCSTART-"]


def test_what_convert_writes_goes_into_spacy_train_and_back(roseq, tmp_path, repository):
    for source, name in ((TRAIN, "train"), (DEV, "dev")):
        assert roseq("convert", source, tmp_path / f"{name}.spacy", "--language", "en").status == 0
    run("init", "config", tmp_path / "base.cfg", "--lang", "en", "--pipeline", "ner")
    paths = ["--paths.train", tmp_path / "train.spacy", "--paths.dev", tmp_path / "dev.spacy"]
    options = ["--training.max_steps", 40, "--training.eval_frequency", 20]
    run("train", tmp_path / "base.cfg", "-o", tmp_path / "run", *paths, *options)
    nlp = spacy.load(tmp_path / "run/model-last")
    texts = [doc.text for doc in DocBin().from_disk(tmp_path / "dev.spacy").get_docs(nlp.vocab)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    run("apply", tmp_path / "run/model-last", tmp_path / "texts.jsonl", tmp_path / "tagged.spacy")
    assert roseq("convert", tmp_path / "tagged.spacy", tmp_path / "tagged.conll").status == 0
    words = [pair for block in sentences(tmp_path / "tagged.conll") for pair in block]
    docs = list(map(nlp, texts))
    assert [word for word, _ in words] == [token.text for doc in docs for token in doc]
    entities = [span.label_ for doc in docs for span in doc.ents]
    assert [tag[2:] for _, tag in words if tag.startswith("B-")] == entities != []


def test_what_spacy_convert_writes_is_read(roseq, tmp_path, repository):
    (tmp_path / "dev.iob").write_text((repository / DEV).read_text(encoding="utf-8"), encoding="utf-8")
    run("convert", tmp_path / "dev.iob", tmp_path, "--converter", "ner")
    assert roseq("convert", tmp_path / "dev.spacy", tmp_path / "back.conll").status == 0
    assert sentences(tmp_path / "back.conll") == sentences(repository / DEV)
