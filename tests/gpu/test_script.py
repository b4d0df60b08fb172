"""
What benchmarks/gpu.sh writes of its steps, whose work is done here by a stand-in for Python; the steps themselves are
rehearsed by `make test`.
"""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.batches import covered
from benchmarks.gpu.runs import without_deterministic_kernel

STAND_IN = """#!/bin/bash
if [[ $* == *gpu.summary* ]]; then exec {python} "$@"; fi
for word; do [[ $before == --output ]] && output=$word; before=$word; done
case "$*" in
  *gpu.environment*) echo '{{"what": "GPU", "result": "a | b", "ok": false}}' > "$output/environment.jsonl"
    echo well; {environment} ;;
  "-m pytest "*) echo 'FAILED tests/gpu/x.py::test_y - wrong'; echo '1 failed in 2 s'; exit 1 ;;
  *gpu.training*) echo 'epoch 2' > "$output/training-amp.log"; sleep 60 ;;
esac
"""


def start(directory: Path, environment: str, *arguments: str) -> subprocess.Popen:
    python = directory / "python"
    python.write_text(STAND_IN.format(python=sys.executable, environment=environment))
    python.chmod(0o755)
    variables = {**os.environ, "OUT": str(directory / "out"), "PYTHON": str(python)}
    command = ["bash", "benchmarks/gpu.sh", *arguments]
    return subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def results(directory: Path) -> tuple[list[dict[str, Any]], str]:
    out = directory / "out"
    return json.loads((out / "gpu.json").read_text())["steps"], (out / "gpu.md").read_text()


def test_a_step_that_fails_stops_no_other_and_one_that_is_stopped_is_reported(tmp_path: Path) -> None:
    process = start(tmp_path, "true", "--steps", "1 2 3")
    log = tmp_path / "out/logs/training-amp.log"
    while not (log.is_file() and log.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(50) == 1
    steps, page = results(tmp_path)
    assert [(step["name"], step["status"], step["last_line"]) for step in steps] == [
        ("environment", "passed", "well"),
        ("tests", "failed, exit status 1", "1 failed in 2 s"),
        ("training", "stopped", "epoch 2"),
    ]
    assert steps[0]["findings"] == [{"what": "GPU", "result": "a | b", "ok": False}]
    assert "| GPU | a \\| b | **no** |" in page
    assert "- `FAILED tests/gpu/x.py::test_y - wrong`" in page
    assert "- `training-amp.log: epoch 2`" in page


def test_a_step_that_takes_too_long_is_ended_and_what_there_is_no_time_for_is_left_out(tmp_path: Path) -> None:
    begin = time.monotonic()
    assert start(tmp_path, "sleep 60", "--steps", "1 6", "--seconds", "11").wait(55) == 1
    assert time.monotonic() - begin < 55
    steps, page = results(tmp_path)
    assert [step["status"] for step in steps] == ["timed out", "left out"]
    assert steps[0]["last_line"] == "well" and 10 <= steps[0]["seconds"] < 50
    assert steps[1]["last_line"].startswith("it needs 120 seconds, and ")
    assert "| 1 | environment | timed out |" in page


@pytest.mark.parametrize("arguments", [["--device"], ["--device", "tpu"], ["--steps", "7"], ["--seconds", "x"], ["-x"]])
def test_wrong_arguments_are_refused(arguments: list[str], tmp_path: Path) -> None:
    process = start(tmp_path, "true", *arguments)
    _, errors = process.communicate()
    assert process.returncode == 2 and errors.startswith("benchmarks/gpu.sh [--device cuda|cpu]")
    assert not (tmp_path / "out").exists()


def test_operations_without_a_deterministic_kernel_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("fine\n")
    (tmp_path / "b.log").write_text("")
    logs = tmp_path / "a.log", tmp_path / "b.log"
    assert without_deterministic_kernel(*logs) == []
    # What torch prints on a GPU, by its own code.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.zeros(3).put_(torch.tensor([1]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(False)
    line = warnings.formatwarning(caught[0].message, caught[0].category, "/somewhere/trainer.py", 12)
    logs[1].write_text(line * 2)
    assert without_deterministic_kernel(*logs) == ["put_"]


def test_what_several_spans_cover_counts_once() -> None:
    assert covered([(5, 6), (0, 2), (1, 3), (1, 2), (3, 3.5)]) == 4.5
    assert covered([]) == 0
