import argparse
import contextlib
import io
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Optional, TextIO, Union

from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.commands.thresholds import least_probabilities
from roseq_allennlp.console import Console
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.files import FULL
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.inputs import STANDARD_INPUT, layout_of, local_path, rows, tag_instances, tag_rows
from roseq_allennlp.predictors.outputs import STREAMS, Result, write
from roseq_allennlp.predictors.thresholds import apply_thresholds
from roseq_allennlp.text import shown_lines
from roseq_allennlp.training.overrides import parsed

_ERRORS_SHOWN = 100  # rows with errors that are named, where the output cannot hold them


def run(args: argparse.Namespace, console: Console) -> int:
    """Tags files of any kind. In place of AllenNLP's for `roseq`, not for `allennlp`."""
    output = _output(args)
    names = _inputs(args)
    paths = [local_path(name) for name in names]
    tagger = _tagger(args)
    notes, started = Tally(), time.monotonic()
    counts = _Counts()
    results = _above(args, tagger, _results(args, tagger, names, paths, notes))
    try:
        with _opened(output) as opened, console.bar(None, "tagged") as bar:
            write(counts.counted(results, bar.update), args.output_format, opened, reporter(console))
    except BrokenPipeError:
        console.say(f"roseq predict: the output was closed; {counts} before.")
        raise
    except OSError as error:
        if output is None:
            _leave_standard_output()
        name = output or "standard output"
        way_out = "Make room, or choose another place." if error.errno in FULL else "Choose another place."
        raise ConfigurationError(f"{name}: not written whole: {error.strerror or error}. {way_out}") from error
    except RuntimeError as error:
        if not str(error).startswith(("One of the", f"{getattr(tagger, '_processes', 0)} processes")):
            raise
        raise ConfigurationError(str(error)) from error
    if counts.first_error and args.output_format == "jsonl":  # else it has been shown
        console.say(f"the first error: {counts.first_error}")
    for note in str(notes).split("; ") if notes.counts else []:
        console.say(note)
    console.say(f"roseq predict: {counts}, {time.monotonic() - started:.1f} s")
    return int(0 < counts.rows == counts.errors)


class _Counts:
    """Rows, and errors among them."""

    def __init__(self) -> None:
        self.rows = self.errors = 0
        self.first_error = ""

    def __str__(self) -> str:
        return f"{self.rows - self.errors} tagged, {self.errors} with errors"

    def counted(self, results: Iterable[Result], progress: Callable[[int], Any]) -> Iterator[Result]:
        for row, answer in results:
            self.rows += 1
            if "error" in answer:
                self.errors += 1
                self.first_error = self.first_error or f"{row.where}: {answer['error']}"
            progress(1)
            yield row, answer


def _inputs(args: argparse.Namespace) -> list[str]:
    names: list[str] = args.input or [STANDARD_INPUT]
    if not args.input and sys.stdin is not None and sys.stdin.isatty():
        raise ConfigurationError("no INPUT. Give files, or - to type lines.")
    if names.count(STANDARD_INPUT) > 1:
        raise ConfigurationError("standard input (-) can be read once.")
    if args.batch_size < 1:
        raise ConfigurationError(f"--batch-size must be at least 1, got {args.batch_size}.")
    if args.review and (args.min_probability is None or args.output_format != "jsonl"):
        raise ConfigurationError("--review marks entities below --min-probability in JSON lines: it needs both.")
    if args.documents and args.input_format not in (None, "text", "documents"):
        raise ConfigurationError('--documents takes plain text; rows of JSON lines are documents as {"text": …}.')
    if args.use_dataset_reader and (args.documents or args.input_format or STANDARD_INPUT in names):
        raise ConfigurationError(
            "--use-dataset-reader takes files that the archive's reader knows: no standard input, --documents or"
            " --input-format with it."
        )
    return names


def _output(args: argparse.Namespace) -> Optional[str]:
    """Where to write, `None` for standard output; what of `-o` are overrides becomes such."""
    files = []
    for value in args.output_file or []:
        if value.lstrip().startswith("{"):
            args.overrides = value
        else:
            files.append(value)
    if len(files) > 1:
        raise ConfigurationError(f"one output can be written, got {' and '.join(files)}.")
    output: Optional[str] = os.path.realpath(files[0]) if files and files[0] != "-" else None
    if output is None:
        if args.silent:
            raise ConfigurationError("--silent without --output-file writes nothing. Give one.")
        if args.output_format not in STREAMS:
            raise ConfigurationError(f"{args.output_format} cannot be written to standard output. Name it with -o.")
        return None
    if Path(output).is_dir() and (args.output_format != "brat" or any(Path(output).iterdir())):
        raise ConfigurationError(f"{files[0]}: is a directory with files in it, or not brat. Give another output.")
    if not Path(output).exists():
        prepared(output)
    return output


@contextlib.contextmanager
def _opened(output: Optional[str]) -> Iterator[Union[str, TextIO]]:
    """Standard output, a device or a pipe as a stream; the path of a file that is to be written."""
    if output is not None and (not Path(output).exists() or Path(output).is_file() or Path(output).is_dir()):
        yield output
        return
    target: Any = sys.stdout.fileno() if output is None else output
    sys.stdout.flush()
    kind = _Terminal if output is None and sys.stdout.isatty() else io.TextIOWrapper
    with open(target, "wb", closefd=output is not None) as file:
        # Each line at once, for a program that waits for it.
        with kind(file, "utf-8", newline="\n", line_buffering=True) as stream:
            yield stream


class _Terminal(io.TextIOWrapper):
    """Shows what a terminal would obey."""

    def write(self, text: str) -> int:
        return super().write(shown_lines(text))


def _leave_standard_output() -> None:
    """What could not be written to it is not tried again when the program ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tagger(args: argparse.Namespace) -> NerTagger:
    try:
        extra = json.loads(args.predictor_args or "{}")
        if not isinstance(extra, dict):
            raise ValueError("an object is needed")
    except ValueError as error:
        raise ConfigurationError(f"--predictor-args {args.predictor_args}: no JSON object ({error}).") from error
    parsed(args.overrides)
    with gate.inside():
        archive = load_archive(args.archive, args.cuda_device, args.overrides, args.weights_file)
        try:
            tagger = Predictor.from_archive(archive, args.predictor, args.dataset_reader_choice, extra_args=extra)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"--predictor-args {args.predictor_args}: {error}.") from error
    if not isinstance(tagger, NerTagger):
        raise ConfigurationError(
            f"{args.archive}: its predictor is {type(tagger).__name__}, which does not inherit from `NerTagger`. Use"
            " `allennlp predict`."
        )
    return tagger


def _results(
    args: argparse.Namespace, tagger: NerTagger, names: list[str], paths: list[str], notes: Tally
) -> Iterator[Result]:
    if args.use_dataset_reader:
        return itertools.chain.from_iterable(
            tag_instances(tagger, tagger._dataset_reader.read(path), name, args.batch_size)
            for name, path in zip(names, paths, strict=True)
        )
    layout = layout_of(tagger)
    kind = "documents" if args.documents else args.input_format
    all_rows = itertools.chain.from_iterable(
        rows(path, name, kind, layout, notes) for name, path in zip(names, paths, strict=True)
    )
    return tag_rows(tagger, all_rows, args.batch_size)


def _above(args: argparse.Namespace, tagger: NerTagger, results: Iterator[Result]) -> Iterator[Result]:
    """With the entities below `--min-probability` left out, or marked."""
    least = least_probabilities(args, tagger)
    return ((row, apply_thresholds(answer, least, args.review)) for row, answer in results)


def reporter(console: Console) -> Callable[[str], None]:
    """Says which rows were left out, the first of them."""
    reported = itertools.count(1)

    def report(line: str) -> None:
        if (number := next(reported)) <= _ERRORS_SHOWN:
            console.say(line)
        elif number == _ERRORS_SHOWN + 1:
            console.say("… and others")

    return report
