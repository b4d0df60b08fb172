"""What an archive says of itself, by the command and from Python."""

import json
import tarfile

import pytest

import roseq_allennlp
from roseq_allennlp.models.archive import archive_model

TYPES = "corporation, creative-work, group, location, person, product"


@pytest.fixture
def run(archive_path, tmp_path):
    with tarfile.open(archive_path) as file:
        file.extractall(tmp_path / "run", filter="data")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["train_data_path"] = "corpus://wnut17/train"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    return tmp_path / "run"


def test_the_facts_of_an_archive(run, roseq):
    metrics = {"best_validation_f1-measure-overall": 0.5, "best_validation_precision-creative-work": 0.25, "epoch": 3}
    (run / "metrics.json").write_text(json.dumps(metrics))
    archive = archive_model(run, weights="weights.th")  # as `roseq train` writes it
    result = roseq("info", archive)
    assert result.output.splitlines() == [
        "model           label_aware_crf_tagger",
        "language        en",
        f"labels          {TYPES}",
        "trained on      wnut17",
        "development F1  50.00",
        "probabilities   not calibrated",
    ]
    tagger = roseq_allennlp.load(archive)
    assert ", ".join(tagger.labels) == TYPES
    assert tagger.metrics == {"development": {"overall": {"f1": 0.5}, "creative-work": {"precision": 0.25}}}
    assert repr(tagger) == (
        f"NerTagger(model: label_aware_crf_tagger; language: en; labels: {TYPES}; trained on: wnut17; development F1: 50.00; probabilities: not calibrated)"
    )


def test_an_archive_without_metrics(archive_path, roseq):
    assert roseq("info", archive_path).output.endswith("development F1  not known\nprobabilities   not calibrated\n")
    assert roseq_allennlp.load(archive_path).metrics == {}


def test_roseq_train_puts_them_into_the_archive(roseq, tmp_path):
    overrides = json.dumps({"trainer.num_epochs": 1})
    assert roseq("train", "training_configs/fixture.jsonnet", "-s", tmp_path / "run", "-o", overrides).status == 0
    (tmp_path / "run" / "model.tar.gz").rename(tmp_path / "moved.tar.gz")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    f1 = roseq_allennlp.load(tmp_path / "moved.tar.gz").metrics["development"]["overall"]["f1"]
    assert f1 == metrics["best_validation_f1-measure-overall"]


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"test_f1-measure-a": NaN}', "[" * 70 + "]" * 70])
def test_metrics_that_are_none_are_one_line(content, run, roseq):
    (run / "metrics.json").write_text(content)
    result = roseq("info", run)
    assert result.status == 1 and result.errors.count("\n") == 1 and "its metrics.json" in result.errors


def test_scores_that_are_no_numbers_are_left_out(run):
    (run / "metrics.json").write_text(json.dumps({"test_f1-measure-a": "<b>", "test_recall-c": 1}))
    assert roseq_allennlp.load(run).metrics == {"test": {"c": {"recall": 1.0}}}


def test_no_archive_is_one_line(roseq):
    assert "no such archive" in roseq("info", "nothing.tar.gz").errors
