"""The commands, each in a process of its own, from training to prediction."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import roseq_allennlp

CONFIG = "training_configs/fixture.jsonnet"
TEST = "fixtures/wnut17/emerging.test.annotated"


def allennlp(*arguments):
    command = [sys.executable, "-m", "allennlp", *map(str, arguments), "--include-package", "roseq_allennlp"]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env={**os.environ})
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


@pytest.fixture
def run(tmp_path) -> Path:
    overrides = {"trainer.num_epochs": 1}
    allennlp("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(overrides))
    return tmp_path / "run"


def test_train_recover_evaluate_and_predict(run, tmp_path):
    first = roseq_allennlp.load(run / "model.tar.gz")._model
    assert len(first.crf.label_weights.unique()) > 3
    finished = (run / "metrics_epoch_0.json").stat().st_mtime_ns

    config = json.loads((run / "config.json").read_text())
    config["trainer"]["num_epochs"] = 2  # one more than are finished
    (run / "config.json").write_text(json.dumps(config))
    allennlp("train", run / "config.json", "-s", run, "--recover")
    assert (run / "metrics_epoch_0.json").stat().st_mtime_ns == finished
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epoch"] == 1
    # What the first epoch learned was the start of the second.
    before = json.loads((run / "metrics_epoch_0.json").read_text())
    assert metrics["training_loss"] < before["training_loss"]
    state = torch.load(max(run.glob("model_state_e*.th"), key=lambda path: path.stat().st_mtime_ns))
    assert torch.equal(state["crf.label_weights"], first.crf.label_weights)
    assert not torch.equal(state["crf.transitions"], first.crf.transitions)

    allennlp("evaluate", run / "model.tar.gz", TEST, "--output-file", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert {"precision-overall", "recall-overall", "f1-measure-overall"} <= scores.keys()
    assert 0.5 < scores["accuracy"] < 1

    allennlp("predict", run / "model.tar.gz", "fixtures/sentences.jsonl", "--output-file", tmp_path / "out", "--silent")
    answers = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    tagger = roseq_allennlp.load(run / "model.tar.gz")
    sentences = Path("fixtures/sentences.txt").read_text(encoding="utf-8").splitlines()
    for sentence, answer in zip(sentences, answers, strict=True):
        expected = tagger.tag(sentence)
        assert (answer["words"], answer["tags"]) == (expected["words"], expected["tags"])
