"""Training in two processes on the CPU, by the command, against one process and with one of them killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common import Params
from allennlp.training.util import evaluate

from roseq_allennlp.data.data_loaders import InMemoryDataLoader
from roseq_allennlp.data.label_statistics import count_labels, label_weights
from roseq_allennlp.models.archive import load_archive

CONFIG = "training_configs/fixture.jsonnet"
TRAIN = "fixtures/wnut17/wnut17train.conll"


def start(directory: Path, dev: Path, *arguments: str) -> subprocess.Popen:
    evaluated = Params.from_file(CONFIG).as_dict(quiet=True)
    overrides: dict[str, Any] = {
        "distributed": {"cuda_devices": [-1, -1]},
        "validation_data_path": str(dev),
        "validation_data_loader.batch_size": 5,
        "trainer.num_epochs": 3,
        "trainer.callbacks": [*evaluated["trainer"]["callbacks"], {"type": "augmentation"}, {"type": "calibration"}],
    }
    command = [sys.executable, "-m", "roseq_allennlp", "train", CONFIG, "-s", str(directory), *arguments]
    log = open(directory.with_suffix(".log"), "a")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a run of the module starts before conftest.py sets it
    return subprocess.Popen([*command, "-o", json.dumps(overrides)], stdout=log, stderr=log, env=environment)


def finish(process: subprocess.Popen, directory: Path) -> None:
    assert process.wait(240) == 0, directory.with_suffix(".log").read_text()[-3000:]


@pytest.fixture(scope="module")
def dev(tmp_path_factory) -> Path:
    """11 sentences: one process has 6 in two batches of 5, the other 5 in one, and would end validation."""
    sentences = Path("fixtures/wnut17/emerging.dev.conll").read_text(encoding="utf-8").strip().split("\n\n")
    path = tmp_path_factory.mktemp("data") / "dev"
    path.write_text("\n\n".join(sentences[:11]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def unbroken(dev, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("distributed") / "run"
    finish(start(directory, dev), directory)
    return directory


def test_scores_and_label_weights_are_those_of_one_process(unbroken, dev):
    archive = load_archive(unbroken / "model.tar.gz")
    loader = InMemoryDataLoader(archive.validation_dataset_reader, str(dev), batch_size=5)
    loader.index_with(archive.model.vocab)
    archive.model.eval()
    alone = evaluate(archive.model, loader)
    together = json.loads((unbroken / "metrics.json").read_text())
    scores = {name: value for name, value in alone.items() if "loss" not in name}
    assert len(scores) > 10
    assert {name: together[f"best_validation_{name}"] for name in scores} == scores

    counts = count_labels(archive.dataset_reader.read(TRAIN), "labels")
    labels = archive.model.vocab.get_token_to_index_vocabulary("labels")
    expected = label_weights({label: counts[label] for label in labels}, 0.25)
    assert torch.equal(archive.model.crf.label_weights, torch.tensor(list(expected.values())))


def test_no_sentence_is_left_out(unbroken):
    shown = unbroken.with_suffix(".log").read_text().splitlines()  # by the first process alone
    names = ["data", "sizes", "model", "components", "directory", "epoch", "epoch", "epoch", "Development"]
    assert [line.split()[0] for line in shown if line.startswith(tuple(names))] == names
    assert "25 labels, 2 × CPU" in "".join(shown) and "sizes       130 sentences with 141 entities" in "".join(shown)
    logs = "".join(path.read_text() for path in unbroken.glob("out*.log"))
    assert "completed its entire epoch" in logs and "finishing" not in logs


def test_a_killed_worker_ends_the_run_and_recover_goes_on(unbroken, dev, tmp_path):
    directory = tmp_path / "run"
    process = start(directory, dev)
    while not (directory / "model_state_e1_b0.th").exists():
        assert process.poll() is None, directory.with_suffix(".log").read_text()[-3000:]
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    assert process.wait(60) == 1
    assert (
        "roseq train: error: a process of the distributed run has ended (" in directory.with_suffix(".log").read_text()
    )
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert not (directory / "model.tar.gz").exists()

    finish(start(directory, dev, "--recover"), directory)
    one, other = (torch.load(run / "model_state_e3_b0.th") for run in (unbroken, directory))
    assert all(torch.equal(one[name], other[name]) for name in one)
    names = ("validation_loss", "validation_f1-measure-overall", "best_epoch", "training_adversarial_loss")
    ours, theirs = (json.loads((run / "metrics.json").read_text()) for run in (unbroken, directory))
    assert [ours[name] for name in names] == [theirs[name] for name in names]
