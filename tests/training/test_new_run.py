"""What a run that fails leaves in its directory."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training import GradientDescentTrainer

from roseq_allennlp.models import LabelAwareCrfTagger
from roseq_allennlp.training.callbacks import FiniteLossCallback
from roseq_allennlp.training.run_directory import new_run

CONFIG = "training_configs/fixture.jsonnet"
BAD: list[dict[str, Any]] = [
    {"trainer.num_epoch": 1},  # before the directory is made
    {"train_data_path": "nope.conll"},  # while data is read
    {"model.gamma": -1},  # when the model is built, after the vocabulary
    {"trainer.optimizer.lr": -1},  # when the trainer is built
    {"trainer.callbacks": [{"type": "adversarial"}]},  # in the first batch: ζ is not counted
]


@pytest.fixture
def train(roseq):
    def run(directory: Path, changes: dict[str, Any], *options: Any) -> Any:
        overrides = json.dumps({"trainer.num_epochs": 1, **changes})
        return roseq("train", CONFIG, "-s", directory, "-o", overrides, "--quiet", *options)

    return run


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("changes", BAD)
def test_a_new_directory_is_gone(changes, train, tmp_path):
    result = train(tmp_path / "new" / "run", changes)
    assert result.status == 1 and "Traceback" not in result.errors
    assert not list(tmp_path.iterdir())


def test_the_corrected_command_runs(train, tmp_path):
    for changes in BAD[:3]:
        assert train(tmp_path / "run", changes).status == 1
    assert train(tmp_path / "run", {}).status == 0 and (tmp_path / "run" / "model.tar.gz").exists()


def test_an_empty_directory_stays(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "other").touch()
    assert train(tmp_path / "run", BAD[2]).status == 1
    assert sorted(os.listdir(tmp_path)) == ["other", "run"] and not os.listdir(tmp_path / "run")


def test_what_the_user_had_there_stays(train, tmp_path):
    run = tmp_path / "run"
    (run / "deep").mkdir(parents=True)
    (run / "deep" / "notes.txt").write_text("mine")
    (run / "link").symlink_to("nowhere")
    for changes in BAD:
        for options in ([], ["--recover"], ["--force"], ["--force", "--recover"]):
            assert train(run, changes, *options).status == 1
            assert contents(tmp_path) == {str(run / "deep" / "notes.txt"): b"mine"} and (run / "link").is_symlink()
            assert os.listdir(tmp_path) == ["run"]


def test_what_is_replaced_goes_when_the_run_begins(train, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "old").touch()
    assert train(run, {}, "--force").status == 0
    assert not (run / "old").exists() and (run / "model.tar.gz").exists() and os.listdir(tmp_path) == ["run"]
    assert train(run, {}, "--force", "--dry-run").status == 0
    assert not (run / "model.tar.gz").exists() and os.listdir(tmp_path) == ["run"]


def test_it_is_still_there_until_then(train, tmp_path, monkeypatch):
    seen = []

    def look(trainer: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(len(os.listdir(tmp_path)))
        return plain(trainer, *arguments, **options)

    plain = GradientDescentTrainer.batch_outputs
    monkeypatch.setattr(GradientDescentTrainer, "batch_outputs", look)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").touch()
    assert train(tmp_path / "run", {}, "--force").status == 0
    assert seen[0] == 2 and set(seen[1:]) == {1}


def test_after_the_first_step_the_run_stays(train, tmp_path, monkeypatch):
    def fail(*arguments: Any, **options: Any) -> None:
        raise ConfigurationError("after a step.")

    monkeypatch.setattr(FiniteLossCallback, "on_batch", fail)
    result = train(tmp_path / "run", {})
    assert result.status == 1 and "roseq train: error: after a step." in result.errors
    assert (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("name", ["set_label_counts", "forward"])
def test_stopped_before_the_first_step(name, train, tmp_path, monkeypatch):
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LabelAwareCrfTagger, name, stop)
    result = train(tmp_path / "run", {})
    assert result.status == 130 and not list(tmp_path.iterdir())
    assert result.errors.splitlines()[-1] == "roseq train: stopped. It had not begun to train: start it again."


def test_a_bug_leaves_nothing_either(train, tmp_path, monkeypatch):
    monkeypatch.setattr(LabelAwareCrfTagger, "forward", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(tmp_path / "run", {})
    assert not list(tmp_path.iterdir())


def test_in_distributed_training(train, tmp_path):
    result = train(tmp_path / "run", {**BAD[-1], "distributed": {"cuda_devices": [-1, -1]}})
    assert result.status == 1 and "Traceback" not in result.errors
    assert sum("roseq train: error: " in line for line in result.errors.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_distributed_run_that_has_begun_replaces_the_other(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").touch()
    assert train(tmp_path / "run", {"distributed": {"cuda_devices": [-1, -1]}}, "--force").status == 0
    assert (tmp_path / "run" / "model.tar.gz").exists() and os.listdir(tmp_path) == ["run"]


def test_a_file_in_its_place(train, tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        for options in ([], ["--force"]):
            (line,) = train(path, {}, *options).errors.splitlines()
            assert line.startswith(f"roseq train: error: {path}: the run's directory cannot be made (")
    assert contents(tmp_path) == {str(tmp_path / "file"): b"mine"}


def test_two_runs_at_once(tmp_path):
    """The one that is second fails, and takes nothing from the first."""
    from argparse import Namespace

    from allennlp.training import util

    with new_run(Namespace()):
        util.create_serialization_dir(Params({}), tmp_path / "run", False, False)
        (tmp_path / "run" / "config.json").touch()
        second = Namespace()
        with pytest.raises(ConfigurationError, match="already exists"), new_run(second):
            util.create_serialization_dir(Params({}), tmp_path / "run", False, False)
        assert not second.undone and (tmp_path / "run" / "config.json").exists()
