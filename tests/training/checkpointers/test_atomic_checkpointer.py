import contextlib
import json
import multiprocessing
import os
import resource
import signal
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError
from allennlp.training.trainer import TrainerCheckpoint

from roseq_allennlp.files import check_saved, load, remove_leftovers, replacing, save
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


@pytest.mark.parametrize("name", ["run", "[1] *?"])
def test_two_are_kept(name, tmp_path):
    tmp_path = tmp_path / name
    tmp_path.mkdir()
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


def damage(path: Path, place: float, length: int = 64) -> None:
    """Flips bytes in a new file, so that what is linked to the old one stays as it is."""
    content = bytearray(path.read_bytes())
    start = int(place * (len(content) - length))
    content[start : start + length] = bytes(255 - byte for byte in content[start : start + length])
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("part", ["model_state", "training_state"])
@pytest.mark.parametrize("place", [0, 0.3, 0.5, 0.9, 1])
def test_damaged_bytes_are_noticed(part, place, tmp_path, caplog):
    checkpointer = AtomicCheckpointer(tmp_path)
    for epoch in (1, 2):
        checkpointer.save_checkpoint(trainer(epoch))
    damage(tmp_path / f"{part}_e2_b0.th", place)
    assert loaded(tmp_path) == 1
    assert f"{tmp_path}/model_state_e2_b0.th cannot be read and is passed over: {part}_e2_b0.th: " in caplog.text
    assert f"{tmp_path}/model_state_e1_b0.th is taken in its place" in caplog.text


def test_a_byte_anywhere_is_noticed_or_harmless(tmp_path):
    """Which `torch.load` alone does not see to: it takes other weights, and memory that was never written, without a word."""
    state = {"weight": torch.arange(9.0), "step": 3}
    path = tmp_path / "state.th"
    save(state, path)
    content, harmless = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with contextlib.suppress(ValueError):
            again = load(path)
            assert torch.equal(again["weight"], state["weight"]) and again["step"] == 3, place
            harmless += 1
    assert harmless < len(content) / 2  # padding, dates, and parts of the headers that nobody reads


@pytest.mark.parametrize("length", [0, 1, 500, -1])
def test_a_truncated_file_is_noticed(length, tmp_path):
    save({"weight": torch.ones(1000)}, tmp_path / "state.th")
    (tmp_path / "state.th").write_bytes((tmp_path / "state.th").read_bytes()[:length])
    with pytest.raises(ValueError):
        load(tmp_path / "state.th")


def test_a_compressed_member_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "state.th", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(1 << 20))
    with pytest.raises(ValueError, match="its record data/0 is not stored as it was written"):
        check_saved(tmp_path / "state.th")


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_of_earlier_versions_are_read(zipped, tmp_path):
    """As plain `torch.save` writes them, and as it did before 1.6."""
    state = {"epochs_completed": 2, "batches_in_epoch_completed": 0}
    weights = {"weight": torch.full((10,), 2.0)}
    for name, value in (("model", weights), ("training", state)):
        torch.save(value, tmp_path / f"{name}_state_e2_b0.th", _use_new_zipfile_serialization=zipped)
    assert loaded(tmp_path) == 2


class TestLeftovers:
    def leave(self, directory: Path, name: str = "best.th") -> None:
        """As a process that is killed while it writes."""
        process = multiprocessing.get_context("fork").Process(target=self.write_and_die, args=(directory / name,))
        process.start()
        process.join()

    @staticmethod
    def write_and_die(path: Path) -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    def test_those_of_dead_processes_are_removed(self, tmp_path):
        self.leave(tmp_path)
        self.leave(tmp_path, "n" * 250)
        (tmp_path / ".model_state_e3_b0.th.4194304.tmp").write_bytes(
            b""
        )  # an earlier version's; no process has that number
        assert len(names(tmp_path)) == 2  # the second process removed what the first one left
        AtomicCheckpointer(tmp_path).load_checkpoint()
        assert names(tmp_path) == []

    def test_those_of_living_processes_and_of_others_stay(self, tmp_path):
        others = [".notes.tmp", f".model_state_e3_b0.th.{os.getpid()}.tmp", ".other.123.tmp", "best.th.roseq-0.tmp"]
        for name in others:
            (tmp_path / name).touch()
        os.symlink("/etc/hosts", tmp_path / f".a.roseq-{'0' * 16}.tmp")
        with replacing(tmp_path / "best.th") as temporary:
            temporary.write_bytes(b"whole")
            process = multiprocessing.get_context("fork").Process(target=remove_leftovers, args=(tmp_path,))
            process.start()
            process.join()
            assert temporary.exists()
        assert (tmp_path / "best.th").read_bytes() == b"whole"
        assert names(tmp_path) == sorted([*others, f".a.roseq-{'0' * 16}.tmp", "best.th"])

    def test_permissions_and_names(self, tmp_path, monkeypatch):
        before = os.umask(0o027)
        try:
            with replacing(tmp_path / "best.th") as temporary:
                temporary.write_bytes(b"")
                first = temporary.name
            save({}, tmp_path / "state.th")
        finally:
            os.umask(before)
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)} == {0o640}
        with replacing(tmp_path / "best.th") as temporary:
            temporary.write_bytes(b"")
            assert temporary.name != first and str(os.getpid()) not in temporary.name.split("-")[0]
        # What somebody has put there, a link perhaps, is never written to.
        monkeypatch.setattr("roseq_allennlp.files.secrets.token_hex", lambda size: "0" * 16)
        os.symlink(tmp_path / "target", tmp_path / f".best.th.roseq-{'0' * 16}.tmp")
        with pytest.raises(FileExistsError):
            with replacing(tmp_path / "best.th"):
                pass
        assert not (tmp_path / "target").exists()


def test_the_directory_is_gone(tmp_path):
    checkpointer = AtomicCheckpointer(tmp_path / "run")
    with pytest.raises(
        ConfigurationError, match="Its directory is no longer there, and what was in it is lost. Train anew"
    ):
        checkpointer.save_checkpoint(trainer(1))


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
