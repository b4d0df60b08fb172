import json
from types import SimpleNamespace

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common import logging as common_logging
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.training.callbacks.score_table import ScoreTableCallback


def test_training_ends_with_the_table_of_its_best_epoch(tmp_path, capfd):
    config = Params.from_file("training_configs/fixture.jsonnet", json.dumps({"trainer.num_epochs": 2}))
    assert {"type": "score_table"} in config["trainer"].as_dict()["callbacks"]
    train_model(config, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    lines = capfd.readouterr().out.splitlines()
    start = lines.index(f"Development scores of epoch {metrics['best_epoch']}, the best")
    header, *rows = [line.split() for line in lines[start + 1 :]]
    rows = rows[: next(number for number, row in enumerate(rows, 1) if row[0] == "overall")]
    assert header == ["type", "precision", "recall", "F1"]
    types = sorted(key.rsplit("f1-measure-")[1] for key in metrics if key.startswith("best_validation_f1-measure-"))
    assert [row[0] for row in rows] == [*(label for label in types if label != "overall"), "overall"]
    for label, *scores in rows:
        expected = [metrics[f"best_validation_{name}-{label}"] for name in ("precision", "recall", "f1-measure")]
        assert list(map(float, scores)) == pytest.approx([100 * value for value in expected], abs=0.006)


@pytest.mark.parametrize(
    "arguments",
    [
        {},  # the run broke off
        {"metrics": {"training_loss": 1.0}},  # no development data
        {"metrics": {"best_validation_f1-measure-overall": 0.5}, "is_primary": False},
    ],
)
def test_no_table(arguments, capsys):
    callback = TrainerCallback.by_name("score_table")("runs/none")
    assert isinstance(callback, ScoreTableCallback)
    callback.on_end(None, **arguments)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("f1, said", [(0.0, True), (0.1, False)])
def test_it_says_so_where_nothing_was_found(f1, said, capsys):
    scores = {f"best_validation_{name}-overall": f1 for name in ("precision", "recall", "f1-measure")}
    trainer = SimpleNamespace(_total_batches_completed=16)
    ScoreTableCallback("runs/none").on_end(trainer, {**scores, "best_epoch": 0})
    remark = (
        "Not one development entity was found after 16 steps. A corpus this small needs more of them: a smaller"
        " data_loader.batch_size, a larger trainer.num_epochs and trainer.patience, or vectors made from other text"
        " (vectors.fixed).\n"
    )
    assert capsys.readouterr().out.endswith(remark) == said


@pytest.mark.parametrize("plain", [False, True])
def test_a_plain_log_has_a_plain_table(plain, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(common_logging, "FILE_FRIENDLY_LOGGING", plain)
    scores = {f"best_validation_{name}-overall": 0.5 for name in ("precision", "recall", "f1-measure")}
    ScoreTableCallback("runs/none").on_end(None, {**scores, "best_epoch": 0})
    assert ("─" in capsys.readouterr().out) == (not plain)


def test_a_model_without_entities_has_a_table_of_its_metrics(capsys):
    metrics = {"best_epoch": 3, "best_validation_accuracy": 0.98765, "best_validation_loss": 1.5, "epoch": 4}
    ScoreTableCallback("runs/none").on_end(None, metrics)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["metric", "value"],
        ["accuracy", "0.9877"],
        ["loss", "1.5000"],
    ]
