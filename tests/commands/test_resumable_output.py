import multiprocessing
import os
from pathlib import Path
from typing import Any, Optional

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived

from roseq_allennlp.commands.resumable_output import resumable_output
from roseq_allennlp.console import Console

HERE = {"input": [["a", 1]], "--review": False}


def job(output: Path, error: Optional[BaseException] = None, write: str = "part-0", plan: Any = None, **settings: Any):
    """A job that writes a file and ends, or fails; returns what it was given."""
    settings = {**HERE, **{f"--{name}": value for name, value in settings.items()}}
    with resumable_output(
        output, settings, lambda: plan or [1, 2], lambda error: f"{error}.", Console(quiet=True)
    ) as given:
        directory, planned = given
        before = sorted(path.name for path in directory.iterdir())
        assert not output.exists()
        if write:
            (directory / write).write_text("rows")
        if error is not None:
            raise error
    return before, planned


def test_the_directory_appears_when_it_is_whole(tmp_path):
    assert job(tmp_path / "in" / "out") == ([], [1, 2])
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    assert (tmp_path / "in" / "out" / "part-0").read_text() == "rows"


def test_a_stopped_job_is_gone_on_with(tmp_path, capfd):
    output = tmp_path / "out"
    with pytest.raises(ConfigurationError) as told:
        job(output, ValueError("the disk is full"))
    assert told.value.message == (
        f"{output}: not written, the job has failed: the disk is full. The same command goes on with what is missing."
    )
    for stop in (KeyboardInterrupt, SigTermReceived):
        with pytest.raises(stop):
            job(output, stop(), write=".half")
        assert "what is done stays there. The same command goes on" in capfd.readouterr().err
    with pytest.raises(ConfigurationError, match="with another --review. Give that again, or remove .*.out.partial to"):
        job(output, review=True)
    assert job(output, write="part-1", plan=[3]) == ([".half", "part-0"], [1, 2])
    assert "1 of 2 pieces are done." in capfd.readouterr().err
    assert {path.name for path in output.iterdir()} == {".half", "part-0", "part-1"}


def test_a_job_that_wrote_nothing_leaves_nothing(tmp_path):
    with pytest.raises(ConfigurationError, match="^wrong$"):
        job(tmp_path / "out", ConfigurationError("wrong"), write="")
    with pytest.raises(KeyboardInterrupt):
        job(tmp_path / "out", KeyboardInterrupt(), write="")
    assert not list(tmp_path.iterdir())
    (tmp_path / ".out.partial" / "files").mkdir(parents=True)
    (tmp_path / ".out.partial" / "job.json").write_text("{")  # of a job that was killed before it wrote a file
    assert job(tmp_path / "out", review=True) == ([], [1, 2])


def test_two_jobs_do_not_write_the_same_output(tmp_path):
    def other(connection):
        with resumable_output(tmp_path / "out", HERE, list, str, Console(quiet=True)):
            connection.send(None)
            connection.recv()

    ours, theirs = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=other, args=(theirs,), daemon=True)
    process.start()
    ours.recv()
    with pytest.raises(ConfigurationError, match=f"out: process {process.pid} of .* is writing it. Wait for it"):
        job(tmp_path / "out")
    process.kill()  # whose lock then goes
    process.join()
    assert job(tmp_path / "out") == ([], [1, 2])


def test_an_output_that_appears_meanwhile_is_not_touched(tmp_path):
    output = tmp_path / "out"
    with pytest.raises(ConfigurationError, match=f"could not be named so.*All rows are in .*out.{os.getpid()}"):
        with resumable_output(output, HERE, list, str, Console(quiet=True)) as (directory, _):
            (directory / "part").write_text("rows")
            output.mkdir()
            (output / "other").touch()
    assert (tmp_path / f"out.{os.getpid()}" / "part").read_text() == "rows"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", f"out.{os.getpid()}"]


def test_a_directory_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="not written, the job has failed: .*Not a directory"):
        job(tmp_path / "file" / "out")
