import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Optional, TextIO, Union

from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

from roseq_allennlp.commands.command import Command, add_cuda_device
from roseq_allennlp.console import Console
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.files import FULL
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.inputs import KINDS, STANDARD_INPUT, Row, local_path, rows, tag_rows
from roseq_allennlp.predictors.outputs import OUTPUT_FORMATS, STREAMS, Result, write

_ERRORS_SHOWN = 100  # rows with errors that are named, where the output cannot hold them


class PredictCommand(Command):
    """`predict ARCHIVE [INPUT …]`: tags files of any kind. In place of AllenNLP's for `roseq`, not for `allennlp`."""

    program = "roseq "
    description = (
        "Tag JSON lines, plain text or columns, also compressed by gzip, and write JSON lines: each row with its other keys,"
        " or with an `error`. The status is 1 if no row could be tagged. What a file holds is seen by its extension (.jsonl,"
        " .ndjson, .json; .conll, .conllu, .tsv, .iob, .iob2, .bio, .bioes), or else by its first lines."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("input", nargs="*", metavar="INPUT", help="files; standard input if left out or -")
        parser.add_argument(
            *("-o", "--output-file"),
            action="append",
            metavar="FILE",
            help="to write, in place of standard output; what begins with { is for --overrides",
        )
        parser.add_argument(
            "--output-format", choices=OUTPUT_FORMATS, default="jsonl", help="brat is a directory, spacy a binary file"
        )
        parser.add_argument("--input-format", choices=KINDS, help="what the files hold; text is a sentence a line")
        parser.add_argument("--documents", action="store_true", help="each file is one text, of many sentences")
        parser.add_argument("--batch-size", type=int, default=2048, metavar="N", help="rows read at a time, at most")
        add_cuda_device(parser)
        parser.add_argument("--silent", action="store_true", help="write the file of -o alone, as without it")
        parser.add_argument("--weights-file", metavar="FILE", help="in place of the archive's weights")
        parser.add_argument("--overrides", default="", metavar="JSON", help="changes of the archive's config, by dotted keys")
        parser.add_argument("--predictor", metavar="NAME", help="in place of ner_tagger; one that inherits from it")
        parser.add_argument(
            "--predictor-args", default="", metavar="JSON", help="""such as '{"processes": 2}' or '{"language": "nl"}'"""
        )
        parser.add_argument("--use-dataset-reader", action="store_true", help="read files as the archive's training data")
        parser.add_argument("--dataset-reader-choice", choices=("train", "validation"), default="validation")
        parser.add_argument("--file-friendly-logging", action="store_true", help="as --quiet")

    def run(self, args: argparse.Namespace, console: Console) -> int:
        console.plain |= args.file_friendly_logging
        output = _output(args)
        names = _inputs(args)
        paths = [local_path(name) for name in names]
        tagger = _tagger(args)
        notes, started = Tally(), time.monotonic()
        counts = _Counts()
        results = _results(args, tagger, names, paths, notes)
        try:
            with _opened(output) as opened, console.bar(None, "tagged") as bar:
                write(counts.counted(results, bar.update), args.output_format, opened, counts.reporter(console))
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
        for note in str(notes).split("; ") if notes.counts else []:
            console.say(note)
        console.say(f"roseq predict: {counts}, {time.monotonic() - started:.1f} s")
        return int(0 < counts.rows == counts.errors)
