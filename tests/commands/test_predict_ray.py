"""The command on a local cluster, which each test starts anew."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import ray

from roseq_allennlp.commands import predict_ray

MARK = "ROSEQ_TEST_OF_RAY"


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
    arguments += ("--min-probability", "person=0,location=1", "--review")
    result = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"2 rows are in {output}\n"
    rows = sorted(pyarrow.parquet.read_table(output).to_pylist(), key=lambda row: row["id"])
    assert [row["sentence"] for row in rows] == sentences[:2]
    expected = [tagger.tag(sentence, {"person": 0.0, "location": 1.0}, review=True) for sentence in sentences[:2]]
    assert [row["tags"] for row in rows] == [answer["tags"] for answer in expected]
    marks = [[each.get("review") for each in answer["entities"]] for answer in expected]
    assert [[each["review"] for each in row["entities"]] for row in rows] == marks and True in sum(marks, [])


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
    """Those of clusters that this test has started: their parents have its mark."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::MapWorker"):
                parent = path.with_name("stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                if f"{MARK}={os.environ[MARK]}".encode() in Path(f"/proc/{parent}/environ").read_bytes():
                    processes.append(int(path.parent.name))
        except OSError:  # it has ended
            pass
    return processes


def written_lines(output: Path) -> list[str]:
    """In the order of the files' names."""
    return [line for path in sorted(output.iterdir()) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


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
            written = list(tmp_path.glob(".out.partial/files/part*"))
            working = [pid for pid in actor_processes() if pid not in killed]
            if len(killed) < 2 and len(written) > 3 * len(killed) + 1 and working:  # twice, in the middle of the job
                os.kill(working[0], signal.SIGKILL)
                killed.append(working[0])
            time.sleep(0.02)
    assert process.returncode == 0, log.read_text()[-3000:]
    assert len(killed) == 2
    assert "100000 rows are in" in log.read_text()
    lines = written_lines(output)
    rows = {row["line"] - 1: row for row in map(json.loads, lines)}
    assert len(lines) == 100_000 and list(rows) == list(range(100_000))  # in the order of the input
    assert {line: row["error"] for line, row in rows.items() if "error" in row}.keys() == bad.keys()
    expected = [tagger.tag(sentence) for sentence in sentences]
    for line, row in rows.items():
        if line not in bad:
            assert row["id"] == line and row["tags"] == expected[line % len(sentences)]["tags"]
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_is_stopped_goes_on(stop, archive_path, tmp_path, tagger):
    sentences = Path("fixtures/sentences.txt").read_text(encoding="utf-8").splitlines()
    for name in "ab":
        lines = [
            json.dumps({"id": f"{name}{row}", "sentence": sentences[row % len(sentences)]}) for row in range(5_000)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    output, files = tmp_path / "out", tmp_path / ".out.partial" / "files"
    options = ("--actors", 1, "--batch-size", 100, "--min-probability", "location=1")
    arguments = command(tmp_path / "*.jsonl", output, "--archive", archive_path, *options)
    program = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while program.poll() is None and len(list(files.glob("part*"))) < 20:
        time.sleep(0.02)
    program.send_signal(stop)
    errors = program.communicate()[1]
    if stop == signal.SIGTERM:
        assert program.returncode == 143 and "The same command goes on with what is missing." in errors
    assert not output.exists()
    result = subprocess.run([*arguments[:-1], "--review", "--quiet"], capture_output=True, text=True, timeout=240)
    assert result.returncode == 1 and "has begun it with another --review. Give that again, or remove" in result.stderr
    before = {path.name: path.stat().st_mtime_ns for path in files.glob("part*")}
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0 and result.stdout == f"10000 rows are in {output}\n", result.stderr
    assert "a job that was stopped is gone on with; " in result.stderr
    assert len(before) >= 20 and before.items() <= {p.name: p.stat().st_mtime_ns for p in output.iterdir()}.items()
    rows = list(map(json.loads, written_lines(output)))
    assert [row["id"] for row in rows] == [f"{name}{row}" for name in "ab" for row in range(5_000)]
    assert {entity["label"] for row in rows for entity in row["entities"]} == {
        *("person", "corporation", "creative-work"),  # no location is as sure
    }
    assert not list(tmp_path.glob(".out*"))


def test_an_archive_is_known_again(tmp_path):
    for name in ("config.json", "best.th"):
        (tmp_path / name).write_text(name)
    before = predict_ray._identity(str(tmp_path))
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / "best.th").touch()  # a moment later
    touched = predict_ray._identity(str(tmp_path))
    assert [part[0] for part in before[1:]] == ["config.json", "best.th"] and touched != before
    (tmp_path / "another").write_text("another")
    assert predict_ray._identity(str(tmp_path)) == touched
    file = predict_ray._identity(str(tmp_path / "best.th"))
    (tmp_path / "best.th").write_text("other weights")
    assert predict_ray._identity(str(tmp_path / "best.th")) != file
    assert predict_ray._identity("hf://user/model") == ["hf://user/model"]


def test_ray_errors_are_one_sentence():
    full = OSError(
        errno.ENOSPC, "No space left on device", "Failed to apply UDF.\nTo change retry attempts, configure it"
    )
    cause = ray.exceptions.RayTaskError("Write", "Traceback\n  File x\nOSError: No space", full)
    for error in (full, cause, cause.as_instanceof_cause()):
        assert predict_ray._reason(error) == "No space left on device. Make room, and start it again."
    user = ray.exceptions.UserCodeException("UDF failed")
    trace = "ray::Map()\nFileNotFoundError: [Errno 2] gone.jsonl\n\nThe above\n\nray::Map()\nray.E: UDF failed"
    error = ray.exceptions.RayTaskError("Map", trace, user)
    assert predict_ray._reason(error) == "FileNotFoundError: [Errno 2] gone.jsonl."
    assert predict_ray._reason(ray.exceptions.ActorDiedError()).startswith("an actor died again and again")


@pytest.mark.parametrize("missing", ["ray", "ray.data"])
def test_ray_is_not_installed(missing, archive_path, tmp_path, roseq, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    result = roseq("predict-ray", "fixtures/sentences.jsonl", tmp_path / "out", "--archive", archive_path)
    assert result.status == 1 and result.errors.startswith("roseq predict-ray: error: Ray is not installed")
    assert result.errors.endswith("pip install 'ray[data]', or 'roseq-allennlp[ray]'.\n")
    assert result.errors.count("\n") == 1


def test_a_gpu_that_no_cluster_has(archive_path, tmp_path, roseq):
    arguments = ("fixtures/sentences.jsonl", tmp_path / "out", "--archive", archive_path, "--gpus-per-actor", 1)
    result = roseq("predict-ray", *arguments)
    assert result.status == 1 and "--gpus-per-actor is 1, and the cluster has 0 GPUs." in result.errors
    assert not list(tmp_path.iterdir())


def test_what_is_refused(archive_path, tmp_path, roseq):
    def error(*arguments) -> str:
        result = roseq("predict-ray", *arguments)
        assert result.status == 1 and not result.output
        assert result.errors.startswith("roseq predict-ray: error: ") and result.errors.count("\n") == 1, result.errors
        return result.errors

    output = tmp_path / "out"
    for option, value in (("--batch-size", 0), ("--actors", 0), ("--actors", -1)):
        message = f"{option} must be at least 1, got {value}."
        assert message in error("fixtures/sentences.jsonl", output, "--archive", archive_path, option, value)
    assert "at least 0, got -1" in error("x", output, "--archive", archive_path, "--gpus-per-actor", -1)
    archive = ("--archive", archive_path)
    assert "no such file" in error(tmp_path / "none.jsonl", output, *archive)
    assert "no such file" in error(tmp_path / "*.jsonl", output, *archive)
    assert "no file in it" in error(tmp_path, output, *archive)
    (tmp_path / "directory.jsonl").mkdir()
    assert "no such file" in error(tmp_path / "*.jsonl", output, *archive)
    (tmp_path / "link.jsonl").symlink_to("nowhere")
    assert "link.jsonl: No such file" in error(tmp_path / "*.jsonl", output, *archive)
    (tmp_path / "a.csv").touch()
    assert "must all end in .txt" in error(tmp_path / "a.csv", output, *archive)
    for suffix in ("jsonl", "parquet", "txt"):
        (tmp_path / f"mixed.{suffix}").touch()
    assert "got .jsonl, .parquet, .txt." in error(tmp_path / "mixed.*", output, *archive)
    assert "mixed.parquet: cannot be read as Parquet" in error(tmp_path / "mixed.parquet", output, *archive)
    pyarrow.parquet.write_table(pyarrow.table({"id": [1], "sentence": ["a"]}), tmp_path / "one.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": ["1"], "sentence": ["a"]}), tmp_path / "other.parquet")
    assert "its column `id` is string, that of" in error(tmp_path / "o*.parquet", output, *archive)
    for there in (tmp_path, tmp_path / "a.csv"):
        before = sorted(tmp_path.rglob("*"))
        assert "exists already" in error("fixtures/sentences.jsonl", there, *archive)
        assert sorted(tmp_path.rglob("*")) == before
    assert "Not a directory" in error("fixtures/sentences.jsonl", tmp_path / "a.csv" / "out", *archive)
    assert "no such archive" in error("fixtures/sentences.jsonl", output, "--archive", tmp_path / "none.tar.gz")
    assert "--batch-size must be at least 1" in error("fixtures/sentences.jsonl", output, *archive, "--batch-size", -1)
    assert "--review marks entities below" in error("fixtures/sentences.jsonl", output, *archive, "--review")
    for value, message in (("2", "from 0 to 1"), ("citty=1", "that the tagger lacks"), ("calibrated", "no thresholds")):
        said = error("fixtures/sentences.jsonl", output, *archive, "--min-probability", value)
        assert f"--min-probability {value}: " in said and message in said
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = ("--address", f"127.0.0.1:{port}")
    assert "no cluster answers there" in error("fixtures/sentences.jsonl", output, *archive, *address)
    assert not output.exists() and not list(tmp_path.glob(".out*"))


@pytest.fixture(autouse=True)
def no_actor_is_left(monkeypatch, tmp_path):
    monkeypatch.setenv(MARK, str(tmp_path))
    yield
    for _ in range(300):
        if not actor_processes():
            return
        time.sleep(0.1)
    pytest.fail("actors are left")
