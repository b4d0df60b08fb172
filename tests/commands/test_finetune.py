"""`roseq finetune` as a run: stopped and gone on with, in two processes, and what is wrong with its command line."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.training.callbacks import TrainerCallback

import roseq_allennlp
from roseq_allennlp.models.finetuning import begin
from roseq_allennlp.models.finetuning_request import FineTuning

OLD = "fixtures/wnut17/wnut17train.conll"
NEW = "fixtures/conll2003/eng.train"
DEV = "fixtures/conll2003/eng.testa"
KILL: dict[str, int] = {}  # where this process ends itself: epoch and batch


@TrainerCallback.register("end_itself_while_finetuning")
class EndItself(TrainerCallback):
    def on_batch(
        self,
        trainer: Any,
        inputs: Any,
        outputs: Any,
        metrics: Any,
        epoch: int,
        batch_number: int,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if KILL == {"epoch": epoch, "batch": batch_number}:
            os.kill(os.getpid(), signal.SIGKILL)


OVERRIDES = {
    "trainer.num_epochs": 3,
    "trainer.callbacks": [
        {"type": "end_itself_while_finetuning"},
        *({"type": name} for name in ("exact_recovery", "label_statistics", "adversarial", "augmentation")),
    ],
    "data_loader": {"type": "in_memory", "batch_size": 8, "shuffle": True},
}


def killed(request: FineTuning, directory: Path, epoch: int) -> None:
    def child() -> None:
        KILL.update(epoch=epoch, batch=2)
        overrides = begin(request, directory, recover=directory.exists())
        train_model_from_file(directory / "config.json", directory, overrides, recover=True)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("epochs", [(0,), (1, 2)])
def test_a_killed_run_ends_as_one_that_was_not(epochs, archive_path, tmp_path, roseq):
    first = tmp_path / "first.tar.gz"
    options = [
        "--train",
        NEW,
        "--dev",
        DEV,
        "--replay",
        f"{OLD}=0.2",
        "-o",
        json.dumps(OVERRIDES),
        "--layer-decay",
        "0.9",
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert (result := roseq("finetune", archive_path, *options, "-s", whole)).status == 0, result.errors
    assert "Fine-tuning: " in result.errors and " new labels" in result.errors
    shutil.copy(archive_path, first)
    request = FineTuning(str(first), NEW, DEV, replay={OLD: 0.2}, overrides=OVERRIDES, layer_decay=0.9)
    for epoch in epochs:
        killed(request, broken, epoch)
        first.unlink(missing_ok=True)
    assert (result := roseq("finetune", first, *options, "-s", broken, "--recover")).status == 0, result.errors
    for name in ("best.th", "model_state_e3_b0.th"):
        expected = weights(whole / name)
        assert all(torch.equal(value, expected[key]) for key, value in weights(broken / name).items())
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (whole, broken)]
    same = [{key: run[key] for key in run if "duration" not in key and "memory" not in key} for run in metrics]
    assert same[1].items() <= same[0].items()  # AllenNLP keeps scores of types that only earlier epochs found


def test_more_epochs_are_those_of_a_run_that_had_them(archive_path, tmp_path, roseq):
    def run(directory: Path, epochs: int, *options: str) -> None:
        overrides = json.dumps({**OVERRIDES, "trainer.num_epochs": epochs})
        line = ["finetune", archive_path, "--train", NEW, "--dev", DEV, "-s", directory, "-o", overrides, *options]
        assert (result := roseq(*line)).status == 0, result.errors

    run(tmp_path / "whole", 3)
    run(tmp_path / "more", 2)
    run(tmp_path / "more", 3, "--recover")
    expected = weights(tmp_path / "whole" / "model_state_e3_b0.th")
    result = weights(tmp_path / "more" / "model_state_e3_b0.th")
    assert all(torch.equal(value, expected[name]) for name, value in result.items())


def test_in_two_processes(archive_path, tmp_path):
    overrides = {"distributed": {"cuda_devices": [-1, -1]}, "trainer.num_epochs": 1}
    command = [
        "finetune",
        archive_path,
        "--train",
        NEW,
        "--dev",
        DEV,
        "-o",
        json.dumps(overrides),
        "-s",
        tmp_path / "run",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "roseq_allennlp", *map(str, command)], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
    alone = tmp_path / "alone"
    begin(FineTuning(str(archive_path), NEW, DEV, overrides={"trainer.num_epochs": 1}), alone)
    assert all(
        torch.equal(value, weights(alone / "start.th")[name])
        for name, value in weights(tmp_path / "run" / "start.th").items()
    )
    assert roseq_allennlp.load(tmp_path / "run" / "model.tar.gz").tag("Oslo")["words"] == ["Oslo"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--replay", "old.conll"], "'old.conll' has no share at its end"),
        (["--replay", f"{OLD}=2"], "above 0 and at most 1"),
        (["-o", "{"], "--overrides: "),
        (["--types", "PER,NOPE"], "no entity of the type NOPE"),
        (["--recover"], "fine-tuning has not begun there"),
    ],
)
def test_what_is_wrong_is_one_line(options, message, archive_path, tmp_path, roseq):
    result = roseq("finetune", archive_path, "--train", NEW, "-s", tmp_path / "run", *options)
    assert result.status == 1 and message in result.errors
    (line,) = [line for line in result.errors.splitlines() if "error: " in line]
    assert line.startswith("roseq finetune: error: ") and not (tmp_path / "run").exists()


def test_from_archive_is_refused_before_training(archive_path, tmp_path, roseq):
    config = {
        "dataset_reader": {"type": "columns"},
        "train_data_path": NEW,
        "model": {"type": "from_archive", "archive_file": str(archive_path)},
        "data_loader": {"batch_size": 8},
        "trainer": {"num_epochs": 1},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    result = roseq("train", tmp_path / "config.json", "-s", tmp_path / "run")
    assert result.status == 1 and not (tmp_path / "run").exists()
    assert (
        result.errors.startswith("roseq train: error: `model` is from_archive")
        and "roseq finetune ARCHIVE" in result.errors
    )
