import argparse
import errno
import logging
import math
import os
import re
import signal
import socket
from glob import glob
from pathlib import Path
from typing import Any, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import CONFIG_NAME

from roseq_allennlp.commands.resumable_output import resumable_output
from roseq_allennlp.commands.thresholds import least_probabilities
from roseq_allennlp.console import Console
from roseq_allennlp.files import FULL
from roseq_allennlp.models.archive import WEIGHTS
from roseq_allennlp.predictors.loading import load

_FULL = (*FULL, errno.EFBIG)
_SOURCES = {".txt": "txt", ".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet"}


def run(args: argparse.Namespace, console: Console) -> int:
    """Tags files of any size on a Ray cluster."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigurationError(
            f"Ray is not installed, or not its part for data ({error}): pip install 'ray[data]', or 'roseq-allennlp[ray]'."
        ) from error
    from roseq_allennlp.predictors.ray_tagging import check_parquet, pieces_of, tag_pieces

    for name in ("actors", "batch_size"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise ConfigurationError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(args, name)}.")
    if not 0 <= args.gpus_per_actor < math.inf:
        raise ConfigurationError(f"--gpus-per-actor must be at least 0, got {args.gpus_per_actor:g}.")
    if args.review and args.min_probability is None:
        raise ConfigurationError("--review marks entities below --min-probability: it needs that too.")
    output = Path(args.output).resolve()
    if output.exists():
        raise ConfigurationError(f"{args.output}: exists already. Remove it, or give another directory.")
    paths, source = _files(args.input)
    if source == "parquet":
        check_parquet(paths)
    _check_address(args.address)
    archive = args.archive if "://" in args.archive else str(Path(args.archive).resolve())
    packages = list(getattr(args, "include_package", ()))
    least = least_probabilities(args, load(archive))  # here, where what is wrong with the archive is one line
    settings = {
        "input": list(map(_identity, paths)),
        "--archive": _identity(archive),
        "--output-format": args.output_format,
        "--min-probability": least,
        "--review": args.review,
        "--include-package": packages,
    }
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # The stack traces of a failed job, and of every pool of actors that they might not be started again; they are.
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    local: dict[str, Any] = {} if args.address else {"include_dashboard": False}
    with resumable_output(output, settings, lambda: pieces_of(paths, source), _reason, console) as (directory, pieces):
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=args.address, log_to_driver=False, logging_level=logging.ERROR, **local)
            # Ray's own handler prints the stacks of its threads and cleans up nothing.
            signal.signal(signal.SIGTERM, on_sigterm)
            if args.gpus_per_actor > (gpus := ray.cluster_resources().get("GPU", 0)):
                raise ConfigurationError(
                    f"--gpus-per-actor is {args.gpus_per_actor:g}, and the cluster has {gpus:g} GPUs. Leave it out for the CPU."
                )
            ray.data.DataContext.get_current().enable_progress_bars = not console.plain
            tag_pieces(
                *(pieces, source, str(directory), args.output_format, archive),
                *(args.actors, args.batch_size, args.gpus_per_actor, packages),
                least=least,
                review=args.review,
            )
        finally:
            ray.shutdown()
    console.print(f"{sum(fields[-1] for fields in pieces)} rows are in {args.output}")
    return 0


def _identity(path: str) -> list[Any]:
    """
    By which a file is known again: its path, size and time. An archive on a hub is known by its name, the directory of a run by
    its config and weights, as anything else may be written there meanwhile.
    """
    if "://" in path:
        return [path]
    files = [Path(path)]
    if files[0].is_dir():
        files = [file for name in (CONFIG_NAME, *WEIGHTS) if (file := Path(path, name)).exists()]
    return [path, *((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)]


def _check_address(address: Optional[str]) -> None:
    """Ray waits without end for a cluster that does not answer."""
    _, _, name = (address or "").rpartition("//")
    host, _, port = name.rpartition(":")
    if not host or not port.isdecimal():  # none, `auto` or what Ray itself explains
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=30).close()
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"--address {address}: no cluster answers there ({error}). Start it first.") from error


def _reason(error: BaseException) -> str:
    """One sentence, and what to do."""
    import ray.exceptions

    trace = str(error).splitlines()
    while isinstance(getattr(error, "cause", None), BaseException):  # of a task
        error = error.cause  # type: ignore[attr-defined]
    died = (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError)
    if isinstance(error, died):
        return (
            "an actor died again and again, or with the same rows each time: killed, or out of memory. Use fewer"
            " --actors, or a smaller --batch-size."
        )
    if isinstance(error, OSError) and error.strerror:
        name = str(error.filename or "")
        text = f"{error.strerror}: {name}" if name and "\n" not in name else error.strerror  # Ray puts advice there
        return f"{text}. Make room, and start it again." if error.errno in _FULL else f"{text}."
    # The first of the exceptions in a task's trace, where the others follow from it; else the last line.
    lines = [line for line in trace if re.match(r"[A-Za-z_][\w.]*: ", line)] or str(error).strip().splitlines()[-1:]
    return (lines or [type(error).__name__])[0].strip().rstrip(".") + "."


def _files(pattern: str) -> tuple[list[str], str]:
    """Returns the input files, all of one kind, and the kind."""
    path = Path(pattern)
    matches = list(path.iterdir()) if path.is_dir() else [Path(match) for match in glob(pattern)]
    matches = [match for match in matches if not match.name.startswith(".")]
    # A link that leads nowhere stays, to be an error.
    paths = sorted(str(match.absolute()) for match in matches if match.is_file() or not match.exists())
    kinds = {_SOURCES.get(Path(name).suffix) for name in paths}
    if not paths:
        kind = "no file in it" if path.is_dir() else "no such file. Paths are relative to the working directory"
        raise ConfigurationError(f"{pattern}: {kind}.")
    if len(kinds) > 1 or None in kinds:
        suffixes = ", ".join(sorted({Path(name).suffix or "none" for name in paths}))
        raise ConfigurationError(
            f"{pattern}: files must all end in .txt (a sentence a line), in .jsonl or in .parquet; got {suffixes}."
        )
    for name in paths:
        try:
            open(name, "rb").close()
        except OSError as error:
            raise ConfigurationError(f"{name}: {error.strerror}.") from error
    return paths, str(kinds.pop())
