import json
from types import SimpleNamespace

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.training.callbacks import TrainerCallback
from allennlp.training.metric_tracker import MetricTracker


def epochs_until_it_stops(scores, patience, callback=None):
    """As the trainer does it: counts, fires, asks."""
    tracker = MetricTracker("+f1", patience)
    for epoch, score in enumerate(scores):
        tracker.add_metrics({"f1": score})
        if callback is not None:
            callback.on_epoch(SimpleNamespace(_metric_tracker=tracker), {"f1": score}, epoch)
        if tracker.should_stop_early():
            return epoch + 1
    return None


def test_patience_counts_from_the_first_score_above_0():
    callback = TrainerCallback.by_name("late_start")("runs/none")
    scores = [0.0] * 10 + [0.1, 0.0, 0.2] + [0.1] * 9
    assert epochs_until_it_stops(scores, 3) == 4
    assert epochs_until_it_stops(scores, 3, callback) == 16
    assert epochs_until_it_stops([0.0] * 30, 3, callback) is None


@pytest.mark.parametrize("scores", [[0.1, 0.0, 0.0, 0.0, 0.3], [0.0, 0.1, 0.2, 0.1, 0.0, 0.2], [0.0, 0.0, 0.3]])
def test_nothing_changes_where_the_score_leaves_0_in_time(scores):
    callback = TrainerCallback.by_name("late_start")("runs/none")
    assert epochs_until_it_stops(scores, 3, callback) == epochs_until_it_stops(scores, 3)


def test_a_training_that_finds_nothing_is_not_stopped(tmp_path):
    (tmp_path / "dev").write_text("Fog\tO\nall\tO\nday\tO\n")  # no entity, so F1 stays 0
    overrides = {
        "validation_data_path": str(tmp_path / "dev"),
        "data_loader.batches_per_epoch": 1,
        "trainer.num_epochs": 4,
        "trainer.patience": 1,
        "trainer.callbacks": [{"type": "late_start"}],
        "model.tau": None,
    }
    train_model(Params.from_file("training_configs/fixture.jsonnet", json.dumps(overrides)), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["best_validation_f1-measure-overall"], metrics["epoch"]) == (0, 3)
