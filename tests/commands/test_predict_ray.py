"""The command on a local cluster, which each test starts anew."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "roseq_allennlp", "predict-ray", *map(str, arguments), "--quiet"]


def test_parquet_to_parquet(archive_path, tmp_path, tagger):
    sentences = Path("fixtures/sentences.txt").read_text(encoding="utf-8").splitlines()
    for part in range(2):
        table = pyarrow.table({"id": [part], "sentence": [sentences[part]]})
        pyarrow.parquet.write_table(table, tmp_path / f"{part}.parquet")
    (tmp_path / "in").mkdir()
    pattern, output = tmp_path / "*.parquet", tmp_path / "out"
    arguments = (pattern, output, "--archive", archive_path, "--output-format", "parquet", "--actors", 1)
    result = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"2 rows are in {output}\n"
    rows = sorted(pyarrow.parquet.read_table(output).to_pylist(), key=lambda row: row["id"])
    assert [row["sentence"] for row in rows] == sentences[:2]
    assert [row["tags"] for row in rows] == [tagger.tag(sentence)["tags"] for sentence in sentences[:2]]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_an_input_without_rows(kind, archive_path, tmp_path):
    path, output = tmp_path / f"in.{kind}", tmp_path / "out"
    if kind == "jsonl":
        path.touch()
    else:
        pyarrow.parquet.write_table(pyarrow.table({"sentence": pyarrow.array([], pyarrow.string())}), path)
    result = subprocess.run(
        command(path, output, "--archive", archive_path), capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stdout) == (0, f"0 rows are in {output}\n"), result.stderr
    assert output.is_dir()


def actor_processes() -> list[int]:
    processes = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::MapWorker"):
                processes.append(int(path.parent.name))
        except OSError:  # it has ended
            pass
    return processes


def test_a_killed_actor_loses_no_row_and_doubles_none(archive_path, tmp_path, tagger):
    sentences = Path("fixtures/sentences.txt").read_text(encoding="utf-8").splitlines()
    bad = {500: "{broken", 99_999: '{"tokens": 3}'}
    with open(tmp_path / "in.jsonl", "w", encoding="utf-8") as file:
        for row in range(100_000):
            good = json.dumps({"id": row, "sentence": sentences[row % len(sentences)]})
            file.write(bad.get(row, good) + "\n")
    output = tmp_path / "out"
    log = tmp_path / "log"
    with open(log, "w") as stream:
        arguments = (tmp_path / "in.jsonl", output, "--archive", archive_path, "--actors", 2, "--batch-size", 512)
        process = subprocess.Popen(command(*arguments), stdout=stream, stderr=stream)
        killed: list[int] = []
        while process.poll() is None:
            written = list(tmp_path.glob(".out.*.tmp/*"))
            working = [pid for pid in actor_processes() if pid not in killed]
            if len(killed) < 2 and len(written) > 3 * len(killed) + 1 and working:  # twice, in the middle of the job
                os.kill(working[0], signal.SIGKILL)
                killed.append(working[0])
            time.sleep(0.02)
    assert process.returncode == 0, log.read_text()[-3000:]
    assert len(killed) == 2
    assert "100000 rows are in" in log.read_text()
    lines = [line for path in output.iterdir() for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    rows = {row["line"] - 1: row for row in map(json.loads, lines)}
    assert len(lines) == len(rows) == 100_000
    assert {line: row["error"] for line, row in rows.items() if "error" in row}.keys() == bad.keys()
    expected = [tagger.tag(sentence) for sentence in sentences]
    for line, row in rows.items():
        if line not in bad:
            assert row["id"] == line and row["tags"] == expected[line % len(sentences)]["tags"]
    assert not list(tmp_path.glob(".out*"))


def test_what_is_refused(archive_path, tmp_path, roseq, monkeypatch):
    def error(*arguments) -> str:
        result = roseq("predict-ray", *arguments)
        assert result.status == 1
        return result.errors

    output = tmp_path / "out"
    archive = ("--archive", archive_path)
    assert "no such file" in error(tmp_path / "none.jsonl", output, *archive)
    (tmp_path / "a.csv").touch()
    assert "must all end in .txt" in error(tmp_path / "a.csv", output, *archive)
    assert "exists already" in error("fixtures/sentences.jsonl", tmp_path, *archive)
    assert "no such archive" in error("fixtures/sentences.jsonl", output, "--archive", tmp_path / "none.tar.gz")
    assert "--batch-size must be at least 1" in error("fixtures/sentences.jsonl", output, *archive, "--batch-size", -1)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'roseq-allennlp[ray]'" in error("fixtures/sentences.jsonl", output, *archive)


@pytest.fixture(autouse=True)
def no_actor_is_left():
    yield
    for _ in range(100):
        if not actor_processes():
            return
        time.sleep(0.1)
    pytest.fail("actors are left")
