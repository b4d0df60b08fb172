"""Training runs and commands as processes of their own, and what they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
# Full and quick: the config, its test split, and how many seconds into its second epoch a run is killed.
FULL: dict[str, Any] = {
    "config": "training_configs/roseq_wnut17.jsonnet",
    "test": "corpus://wnut17/test",
    "killed": 0.3,
}
QUICK: dict[str, Any] = {
    "config": "training_configs/fixture.jsonnet",
    "test": "fixtures/wnut17/emerging.test.annotated",
    "killed": 0.0,  # an epoch may take less than a second
}


class CommandError(Exception):
    """A process that has failed, with the last line of its log."""


def start(log: Path, module: str, *arguments: str) -> subprocess.Popen:
    with log.open("a", encoding="utf-8") as file:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)


def finish(process: subprocess.Popen, log: Path) -> None:
    if process.wait():
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        raise CommandError(f"{log.name}, exit status {process.returncode}: {lines[-1] if lines else ''}")


def run(log: Path, module: str, *arguments: str) -> int:
    """The exit status, which is 0."""
    process = start(log, module, *arguments)
    finish(process, log)
    return process.returncode


def training(config: str, directory: Path, device: str, epochs: int, **overrides: Any) -> list[str]:
    """Arguments of `train`."""
    changed = {"trainer.num_epochs": epochs, "trainer.cuda_device": 0 if device == "cuda" else -1, **overrides}
    return ["train", config, "-s", str(directory), "-o", json.dumps(changed)]


def kill_in_second_epoch(process: subprocess.Popen, directory: Path, log: Path, seconds: float) -> None:
    """SIGKILL so many seconds after the first epoch's checkpoint."""
    while not (directory / "model_state_e1_b0.th").exists():
        if process.poll() is not None:
            finish(process, log)
            raise CommandError(f"{log.name}: it ended before its second epoch")
        time.sleep(0.01)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if (directory / "model_state_e2_b0.th").exists():
        raise CommandError(f"{log.name}: its second epoch was over before it was killed")


def checkpoint(directory: Path, epochs: int) -> dict[str, torch.Tensor]:
    return torch.load(directory / f"model_state_e{epochs}_b0.th", map_location="cpu", weights_only=True)


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Between the weights of two runs; infinite if they are not of the same names."""
    if one.keys() != other.keys():
        return float("inf")
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one if one[name].numel())


def metrics(directory: Path) -> dict[str, Any]:
    """Of a run, those that do not depend on the time."""
    values = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if "duration" not in name and "memory" not in name}


def without_deterministic_kernel(*logs: Path) -> list[str]:
    """Operations that torch had no deterministic kernel for, by its warnings."""
    found: set[str] = set()
    for log in logs:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if "does not have a deterministic implementation" in line:
                found.add(line.split("does not have")[0].split(":")[-1].strip())
    return sorted(found)
