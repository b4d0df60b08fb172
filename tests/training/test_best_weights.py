"""`best.th` of runs that are damaged, and recovered from earlier checkpoints."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError
from allennlp.training.metric_tracker import MetricTracker
from allennlp.training.moving_average import ExponentialMovingAverage
from allennlp.training.trainer import TrainerCheckpoint

from roseq_allennlp.files import check_saved
from roseq_allennlp.training.best_weights import KEPT, BestWeights
from roseq_allennlp.training.checkpointers import AtomicCheckpointer
from roseq_allennlp.training.trainer_access import TrainerAccess

CONFIG = "training_configs/fixture.jsonnet"


class Run:
    """A run of a model with one weight, whose value is the number of epochs, and whose average is half of it."""

    def __init__(self, directory: Path, scores: list[float], averaged: bool = False, keep: Optional[int] = 2):
        self.directory, self.scores, self.averaged = directory, scores, averaged
        self.checkpointer = AtomicCheckpointer(directory, keep_most_recent_by_count=keep)
        self.model = torch.nn.Linear(1, 1, bias=False)
        self.tracker = MetricTracker("+f1")
        for epoch, score in enumerate(scores):
            self.tracker.add_metrics({"f1": score})
            metrics = {"best_epoch": self.tracker.best_epoch, "best_validation_f1": self.tracker._best_so_far}
            (directory / f"metrics_epoch_{epoch}.json").write_text(json.dumps(metrics))
            trainer = self.trainer(epoch + 1)
            state = {"epochs_completed": epoch + 1, "batches_in_epoch_completed": 0}
            if averaged:
                state["moving_average"] = trainer._moving_average.state_dict()
            checkpoint = TrainerCheckpoint(self.model.state_dict(), state)
            self.checkpointer.save_checkpoint(
                SimpleNamespace(get_checkpoint_state=lambda checkpoint=checkpoint: checkpoint)
            )
            if self.tracker.is_best_so_far():
                access = TrainerAccess(trainer)
                BestWeights(access, str(directory), True)
                access.save_best_weights()

    def trainer(self, epochs: int) -> Any:
        torch.nn.init.constant_(self.model.weight, float(epochs))
        average = None
        if self.averaged:
            average = ExponentialMovingAverage(list(self.model.named_parameters()))
            average._shadows["weight"] = torch.full((1, 1), epochs / 2)
        tracker = MetricTracker("+f1")
        for score in self.scores[:epochs]:
            tracker.add_metrics({"f1": score})
        return SimpleNamespace(
            model=self.model,
            _ddp_wrapped_model=None,
            _distributed=False,
            _checkpointer=self.checkpointer,
            _moving_average=average,
            _metric_tracker=tracker,
            _best_model_filename=str(self.best),
            _start_after_epochs_completed=epochs,
            _start_after_batches_in_epoch_completed=0,
        )

    def recovered(self, epochs: int) -> tuple[Any, BestWeights]:
        trainer = self.trainer(epochs)
        weights = BestWeights(TrainerAccess(trainer), str(self.directory), True)
        weights.recover()
        return trainer, weights

    @property
    def best(self) -> Path:
        return self.directory / "best.th"

    def damage(self) -> None:
        content = bytearray(self.best.read_bytes())
        place = content.index(torch.load(self.best)["weight"].numpy().tobytes())
        content[place] ^= 1  # which torch.load reads as another number
        self.best.unlink()
        self.best.write_bytes(content)
        assert torch.load(self.best)["weight"].numel() == 1
        with pytest.raises(ValueError):
            check_saved(self.best)


def value(path: Path) -> float:
    return torch.load(path)["weight"].item()


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("lost", ["damaged", "missing"])
def test_it_is_restored_from_the_checkpoint_of_its_epoch(averaged, lost, tmp_path, caplog):
    run = Run(tmp_path, [0.1, 0.9, 0.5], averaged)
    run.damage() if lost == "damaged" else run.best.unlink()
    run.recovered(3)
    assert value(run.best) == (1.0 if averaged else 2.0)
    assert ("best.th is damaged" in caplog.text) == (lost == "damaged")
    assert not (tmp_path / KEPT).exists()


def test_without_that_checkpoint_the_run_does_not_go_on(tmp_path):
    run = Run(tmp_path, [0.9, 0.1, 0.5])  # two checkpoints are kept
    run.damage()
    with pytest.raises(ConfigurationError, match=r"best\.th, the weights of epoch 0, cannot be read .*--force"):
        run.recovered(3)
    run = Run(tmp_path, [0.9, 0.1, 0.5], keep=None)
    run.damage()
    run.recovered(3)
    assert value(run.best) == 1.0


def test_a_checkpoint_of_that_epoch_that_is_damaged_too_is_not_used(tmp_path):
    run = Run(tmp_path, [0.1, 0.9, 0.5])
    run.damage()
    (tmp_path / "model_state_e2_b0.th").write_bytes(run.best.read_bytes())
    with pytest.raises(ConfigurationError, match="there is no good checkpoint of that epoch"):
        run.recovered(3)


def test_damaged_but_of_an_epoch_that_is_trained_again(tmp_path, caplog):
    run = Run(tmp_path, [0.5, 0.4, 0.9])
    run.damage()
    run.recovered(2)  # the third checkpoint is lost
    assert "is written anew by training its epoch again" in caplog.text


@pytest.mark.parametrize("averaged", [False, True])
def test_lost_with_the_process_it_is_written_from_memory(averaged, tmp_path):
    run = Run(tmp_path, [0.1, 0.5, 0.9], averaged)
    run.best.write_bytes((tmp_path / "model_state_e2_b0.th").read_bytes())  # it died before the third
    run.recovered(3)
    assert value(run.best) == (1.5 if averaged else 3.0) and run.model.weight.item() == 3.0


@pytest.mark.parametrize("again, kept", [(0.9, False), (0.95, False), (0.8, True)])
def test_better_ones_of_lost_epochs_are_not_lost(again, kept, tmp_path, caplog):
    run = Run(tmp_path, [0.1, 0.2, 0.9, 0.3])
    trainer, weights = run.recovered(2)  # whose own best is its last epoch
    assert value(run.best) == value(tmp_path / KEPT) == 3.0
    assert "they stay as best_before_recovery.th" in caplog.text
    weights.release()
    assert (tmp_path / KEPT).exists()
    trainer._metric_tracker.add_metrics({"f1": again})
    trainer._save_model_state(str(run.best))
    weights.release()
    assert (tmp_path / KEPT).exists() == kept
    weights.finish()
    assert (tmp_path / KEPT).exists() == kept == ("did not become as good again" in caplog.text)


def test_a_second_recovery_keeps_the_first_ones(tmp_path):
    run = Run(tmp_path, [0.1, 0.2, 0.9, 0.3])
    trainer, _ = run.recovered(1)
    trainer._save_model_state(str(run.best))
    run.recovered(2)
    assert value(tmp_path / KEPT) == 3.0


def test_at_the_end_of_a_run(tmp_path, caplog):
    run = Run(tmp_path, [0.1, 0.9, 0.5])
    trainer = run.trainer(3)
    weights = BestWeights(TrainerAccess(trainer), str(tmp_path), True)
    run.damage()
    trainer._load_model_state(str(run.best))
    assert run.model.weight.item() == value(run.best) == 2.0 and "is damaged" in caplog.text
    run.damage()
    weights.finish()
    assert value(run.best) == 2.0
    (tmp_path / "model_state_e2_b0.th").unlink()
    run.damage()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        trainer._load_model_state(str(run.best))


def test_only_one_process_writes(tmp_path):
    run = Run(tmp_path, [0.1, 0.9, 0.5])
    run.damage()
    content = run.best.read_bytes()
    weights = BestWeights(TrainerAccess(run.trainer(3)), str(tmp_path), False)
    weights.recover()
    weights.finish()
    assert run.best.read_bytes() == content and not (tmp_path / KEPT).exists()


def test_a_run_whose_newest_checkpoint_is_damaged(tmp_path, caplog):
    """It ends as the run did, and its best weights are never worse than they were."""

    def train(directory: Path, recover: bool = False) -> None:
        overrides = {"trainer.num_epochs": 4, "trainer.validation_metric": "-loss"}
        train_model_from_file(CONFIG, directory, overrides=json.dumps(overrides), recover=recover)

    train(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["best_epoch"] == 3  # so that best.th is the newest checkpoint's
    best = torch.load(tmp_path / "best.th")
    newest = tmp_path / "model_state_e4_b0.th"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    newest.unlink()
    newest.write_bytes(content)
    for name in ("model.tar.gz", "metrics.json"):
        (tmp_path / name).unlink()
    train(tmp_path, recover=True)
    log = (tmp_path / "out.log").read_text()
    assert "model_state_e4_b0.th cannot be read and is passed over" in log and "stay as best_before_recovery.th" in log
    again = torch.load(tmp_path / "best.th")
    assert all(torch.equal(best[name], again[name]) for name in best)
    assert (
        json.loads((tmp_path / "metrics.json").read_text())["best_validation_loss"] == metrics["best_validation_loss"]
    )
    assert (tmp_path / "model.tar.gz").exists() and not (tmp_path / KEPT).exists()
