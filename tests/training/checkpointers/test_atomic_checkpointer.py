import json
import os
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError
from allennlp.training.trainer import TrainerCheckpoint

from roseq_allennlp.training.checkpointers import AtomicCheckpointer

CONFIG = "training_configs/fixture.jsonnet"


def trainer(epochs: int, value: float = 0.0, size: int = 1000) -> Any:
    state = {"epochs_completed": epochs, "batches_in_epoch_completed": 0}
    checkpoint = TrainerCheckpoint({"weight": torch.full((size,), float(epochs) + value)}, state)
    return SimpleNamespace(get_checkpoint_state=lambda: checkpoint)


def loaded(directory: Path) -> float:
    state = AtomicCheckpointer(directory).load_checkpoint()
    assert state is not None and state.trainer_state["epochs_completed"] == state.model_state["weight"][0]
    return state.model_state["weight"][0].item()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_two_are_kept(tmp_path):
    checkpointer = AtomicCheckpointer(tmp_path)
    for epoch in range(1, 5):
        checkpointer.save_checkpoint(trainer(epoch))
    assert names(tmp_path) == [f"{kind}_state_e{epoch}_b0.th" for kind in ("model", "training") for epoch in (3, 4)]
    assert loaded(tmp_path) == 4


@pytest.mark.parametrize("part", ["model_state", "training_state"])
def test_the_disk_is_full(part, tmp_path):
    checkpointer = AtomicCheckpointer(tmp_path)
    checkpointer.save_checkpoint(trainer(1))
    before = names(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)  # a real failure to write, in any directory
    if part == "training_state":
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(ConfigurationError) as caught:
            checkpointer.save_checkpoint(trainer(2, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert f"{part}_e2_b0.th could not be written" in str(caught.value)
    assert f"The last good checkpoint is {tmp_path}/model_state_e1_b0.th." in str(caught.value)
    assert loaded(tmp_path) == 1
    assert set(names(tmp_path)) - set(before) <= {"training_state_e2_b0.th"}  # nothing half written
    checkpointer.save_checkpoint(trainer(2, size=100_000))
    assert loaded(tmp_path) == 2


def test_the_directory_is_not_writable(tmp_path, monkeypatch):
    checkpointer = AtomicCheckpointer(tmp_path)
    checkpointer.save_checkpoint(trainer(1))
    if os.getuid() == 0:  # whom permissions do not stop
        monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    else:
        tmp_path.chmod(0o500)
    with pytest.raises(
        ConfigurationError, match="could not be written: .*The last good checkpoint is .*Go on with --recover"
    ):
        checkpointer.save_checkpoint(trainer(2))
    tmp_path.chmod(0o700)
    assert loaded(tmp_path) == 1


def test_weights_that_are_nan_are_not_written(tmp_path):
    checkpointer = AtomicCheckpointer(tmp_path)
    with pytest.raises(ConfigurationError, match=r"weights are NaN \(weight\).*There is no earlier checkpoint"):
        checkpointer.save_checkpoint(trainer(1, float("nan")))
    assert names(tmp_path) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "half", "foreign"])
def test_an_unreadable_checkpoint_is_passed_over(damage, tmp_path, caplog):
    checkpointer = AtomicCheckpointer(tmp_path)
    checkpointer.save_checkpoint(trainer(1))
    checkpointer.save_checkpoint(trainer(2))
    newest = tmp_path / "model_state_e2_b0.th"
    if damage == "half":
        (tmp_path / "training_state_e2_b0.th").unlink()
    else:
        newest.write_bytes({"truncated": newest.read_bytes()[:500], "empty": b"", "foreign": b"GIF89a"}[damage])
    assert loaded(tmp_path) == 1
    assert "model_state_e2_b0.th cannot be read and is passed over" in caplog.text
    (tmp_path / "model_state_e1_b0.th").write_bytes(b"")
    (tmp_path / "training_state_e2_b0.th").unlink(missing_ok=True)
    with pytest.raises(ConfigurationError, match="None of the checkpoints in .* can be read"):
        checkpointer.load_checkpoint()


def test_without_checkpoints(tmp_path):
    assert AtomicCheckpointer(tmp_path).load_checkpoint() is None


def test_the_disk_fills_in_training(tmp_path, monkeypatch):
    overrides = json.dumps({"trainer.num_epochs": 3})
    plain, calls = torch.save, []

    def save(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 4:  # the second epoch's weights
            Path(args[1]).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        plain(*args)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(ConfigurationError, match="e2_b0.th could not be written: .*No space left on device"):
        train_model_from_file(CONFIG, tmp_path, overrides=overrides)
    train_model_from_file(CONFIG, tmp_path, overrides=overrides, recover=True)
    train_model_from_file(CONFIG, tmp_path / "whole", overrides=overrides)
    one, other = (torch.load(run / "model_state_e3_b0.th") for run in (tmp_path, tmp_path / "whole"))
    assert all(torch.equal(one[name], other[name]) for name in one)
