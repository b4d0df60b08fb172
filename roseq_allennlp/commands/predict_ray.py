import argparse
import logging
import os
from glob import glob
from pathlib import Path
from typing import Any

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.command import Command
from roseq_allennlp.console import Console
from roseq_allennlp.models.archive import load_archive

_SOURCES = {".txt": "txt", ".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet"}


@Subcommand.register("predict-ray")
class PredictRayCommand(Command):
    """`predict-ray INPUT OUTPUT --archive ARCHIVE`: tags files of any size on a Ray cluster."""

    description = (
        "Tag text, JSON lines or Parquet by a pool of actors on a Ray cluster, or on all processors of this machine. Each"
        " row keeps its fields; a row that cannot be tagged gets an `error`."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "input", metavar="INPUT", help="a file, a directory or a quoted pattern: .txt, .jsonl, .parquet"
        )
        parser.add_argument("output", metavar="OUTPUT", help="the directory to write; it must not exist")
        parser.add_argument(
            "--archive", required=True, metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run"
        )
        parser.add_argument("--output-format", choices=("jsonl", "parquet"), default="jsonl")
        parser.add_argument(
            "--actors",
            type=int,
            metavar="N",
            help="number of actors; as many as the cluster has processors if left out",
        )
        parser.add_argument("--batch-size", type=int, default=2048, metavar="N", help="rows an actor gets at a time")
        parser.add_argument(
            "--gpus-per-actor", type=float, default=0.0, metavar="X", help="0 for the CPU; may be a fraction"
        )
        parser.add_argument(
            "--address", metavar="ADDRESS", help="address of a running cluster, or auto; this machine if left out"
        )

    def run(self, args: argparse.Namespace, console: Console) -> int:
        try:
            import ray
        except ImportError as error:
            raise ConfigurationError("Ray is not installed: pip install 'roseq-allennlp[ray]'.") from error
        from roseq_allennlp.predictors.ray_tagging import tag_dataset

        for name in ("actors", "batch_size"):
            if (getattr(args, name) or 1) < 1:
                raise ConfigurationError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(args, name)}.")
        output = Path(args.output).resolve()
        if output.exists():
            raise ConfigurationError(f"{args.output}: exists already. Remove it, or give another directory.")
        paths, source = _files(args.input)
        archive = args.archive if "://" in args.archive else str(Path(args.archive).resolve())
        load_archive(archive)  # before the actors load it, so that its error is one line
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
        # Ray warns about every pool of actors that they might not be restarted; they are.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        local: dict[str, Any] = {} if args.address else {"include_dashboard": False}
        ray.init(address=args.address, log_to_driver=False, logging_level=logging.ERROR, **local)
        ray.data.DataContext.get_current().enable_progress_bars = not console.plain
        temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
        try:
            rows = tag_dataset(
                *(paths, source, str(temporary), args.output_format, archive),
                *(args.actors, args.batch_size, args.gpus_per_actor),
            )
        finally:
            ray.shutdown()
        temporary.rename(output)
        print(f"{rows} rows are in {args.output}")
        return 0


def _files(pattern: str) -> tuple[list[str], str]:
    """Returns the input files, all of one kind, and the kind."""
    path = Path(pattern)
    files = [str(file) for file in path.iterdir() if file.is_file()] if path.is_dir() else glob(pattern)
    paths = sorted(str(Path(file).resolve()) for file in files if not Path(file).name.startswith("."))
    kinds = {_SOURCES.get(Path(file).suffix) for file in paths}
    if not paths:
        raise ConfigurationError(f"{pattern}: no such file. Paths are relative to the working directory.")
    if len(kinds) > 1 or None in kinds:
        suffixes = ", ".join(sorted({Path(file).suffix or "none" for file in paths}))
        raise ConfigurationError(
            f"{pattern}: files must all end in .txt (a sentence a line), in .jsonl or in .parquet; got {suffixes}."
        )
    return paths, str(kinds.pop())
