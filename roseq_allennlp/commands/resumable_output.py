"""A directory of results that appears when it is whole; a job that is stopped goes on with the same command."""

import contextlib
import fcntl
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived

from roseq_allennlp.console import Console
from roseq_allennlp.files import replacing


@contextlib.contextmanager
def resumable_output(
    output: Path,
    settings: dict[str, Any],
    plan: Callable[[], Any],
    reason: Callable[[Exception], str],
    console: Console,
) -> Iterator[tuple[Path, Any]]:
    """
    Gives a directory for the files of `output`, with those that a job of the same `settings` has left there, and what `plan`
    gave that job, or gives now. At the end the directory takes the name `output`. Until then it is in `.OUTPUT.partial`, which
    stays on any error if a file has been written.

    # Parameters

    settings, plan : what can be written as JSON, by the names that the user knows
    reason : `Callable[[Exception], str]`
        One sentence for what stopped the job.

    # Raises

    `ConfigurationError` if another job writes `output`, if a job of other settings has begun it, and in place of what stopped
    this one.
    """
    partial = output.with_name(f".{output.name}.partial")
    files, job = partial / "files", partial / "job.json"
    try:
        files.mkdir(parents=True, exist_ok=True)
        lock = open(partial / "writer", "a+", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output}: not written, the job has failed: {reason(error)}") from error
    with lock:
        _take(lock, output)
        try:
            planned = _begin_or_go_on(output, job, files, json.loads(json.dumps(settings)), plan, console)
            yield files, planned
        except BaseException as error:
            kept = any(not path.name.startswith(".") for path in files.iterdir())
            if not kept:
                shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, ConfigurationError):
                raise
            again = " The same command goes on with what is missing." if kept else ""
            if isinstance(error, Exception) and not isinstance(error, SigTermReceived):
                raise ConfigurationError(
                    f"{output}: not written, the job has failed: {reason(error)}{again}"
                ) from error
            if kept:
                console.say(f"{partial}: what is done stays there.{again}")
            raise
        try:
            files.rename(output)
        except OSError as error:
            kept_as = output.with_name(f"{output.name}.{os.getpid()}")
            files.rename(kept_as)
            raise ConfigurationError(
                f"{output}: could not be named so at the end ({error.strerror}). All rows are in {kept_as}."
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _take(lock: Any, output: Path) -> None:
    """Locks it for as long as this process lives, on all machines that share the directory."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise ConfigurationError(
            f"{output}: {lock.read() or 'another job'} is writing it. Wait for it, or give another directory."
        ) from error
    except OSError:  # a file system without locks
        pass
    lock.truncate(0)
    lock.write(f"process {os.getpid()} of {platform.node()}")
    lock.flush()


def _begin_or_go_on(
    output: Path, job: Path, files: Path, settings: dict[str, Any], plan: Callable[[], Any], console: Console
) -> Any:
    done = sum(1 for path in files.iterdir() if not path.name.startswith("."))
    if not (done and job.exists()):
        planned = plan()
        with replacing(job) as temporary:
            temporary.write_text(json.dumps({"settings": settings, "plan": planned}), encoding="utf-8")
        return planned
    begun = json.loads(job.read_text(encoding="utf-8"))
    changed = [name for name, value in settings.items() if begun["settings"].get(name) != value]
    if changed:
        raise ConfigurationError(
            f"{output}: a job that was stopped has begun it with another {' and '.join(changed)}. Give that again, or remove"
            f" {job.parent} to begin anew."
        )
    console.say(f"{output}: a job that was stopped is gone on with; {done} of {len(begun['plan'])} pieces are done.")
    return begun["plan"]
