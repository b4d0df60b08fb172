"""The reader `spans` from a config to an archive, which is opened, evaluated on other formats, and tags."""

import json

import pytest
from _jsonnet import evaluate_snippet
from allennlp.commands.train import train_model
from allennlp.common import Params

import roseq_allennlp
from roseq_allennlp.data.dataset_readers import SpansReader
from roseq_allennlp.models.archive import load_archive

CONFIG = """
local roseq = import 'training_configs/lib/roseq.libsonnet';
local vectors = import 'training_configs/lib/vectors.libsonnet';
local corpora = import 'training_configs/lib/corpora.libsonnet';
roseq(
  corpora.wnut17 { reader: { type: 'spans', misaligned: 'skip', max_length: 40 }, train: '%s', dev: '%s' },
  vectors.learned(10),
  { num_epochs: 1 }
)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("spans")
    rows = [
        {"text": "Ann lives in Oslo. Bob left", "label": [[0, 3, "person"], [13, 17, "location"], [19, 22, "person"]]}
    ]
    for name in ("train", "dev"):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 4))
    config = json.loads(evaluate_snippet("", CONFIG % (directory / "train.jsonl", directory / "dev.jsonl")))
    assert config["dataset_reader"]["misaligned"] == "skip" and config["dataset_reader"]["language"] == "en"
    train_model(Params(config), str(directory / "run"), return_model=False)
    return directory


def test_an_archive_of_it_tags(trained):
    tagger = roseq_allennlp.load(trained / "run" / "model.tar.gz")
    assert tagger.tag("Ann doesn't")["words"] == ["Ann", "does", "n't"]
    reader = load_archive(trained / "run" / "model.tar.gz").validation_dataset_reader
    assert isinstance(reader, SpansReader) and (reader._misaligned, reader._max_length) == ("skip", 40)


def test_an_archive_of_it_is_evaluated_on_all_formats(trained, roseq):
    scores = []
    for name, data in (("doccano", "dev.jsonl"), ("brat", "brat"), ("spacy", "dev.spacy"), ("columns", "dev.conll")):
        if name != "doccano":
            assert roseq("convert", trained / "dev.jsonl", trained / data, "--to", name, "--language", "en").status == 0
        output = trained / f"{name}.json"
        assert roseq("evaluate", trained / "run" / "model.tar.gz", trained / data, "--output-file", output).status == 0
        scores.append(json.loads(output.read_text()))
    assert scores[0]["loss"] > 0 and all(score == pytest.approx(scores[0], abs=1e-4) for score in scores)
