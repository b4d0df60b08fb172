import argparse
import os
from importlib.metadata import version
from pathlib import Path
from typing import Union

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import Archive

from roseq_allennlp.commands.command import Command, add_cuda_device
from roseq_allennlp.commands.console import Console
from roseq_allennlp.evaluation.bootstrap import f1_interval, sentence_counts
from roseq_allennlp.evaluation.comparison import tag_with_each
from roseq_allennlp.evaluation.report import render, training_of
from roseq_allennlp.evaluation.report_sections import Training
from roseq_allennlp.evaluation.tagged_data import (
    gold_tags,
    model_names,
    read_labelled,
    score_of,
    words_of,
)
from roseq_allennlp.files import replacing
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.text import without_secrets


@Subcommand.register("report")
class ReportCommand(Command):
    """`report ARCHIVE DATA -o report.html`: scores, errors and sentences as one page."""

    description = (
        "Write a report on an archive and labelled data as one HTML file. It has scores with intervals, errors by kind,"
        " calibration, and the sentences with their entities marked."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="model.tar.gz, or the directory of a run")
        parser.add_argument("data", metavar="DATA", help="a labelled file, or corpus://NAME/SPLIT")
        parser.add_argument("-o", "--output", default="report.html", metavar="FILE", help="where to write it")
        parser.add_argument("--against", metavar="ARCHIVE", help="a second tagger, shown side by side")
        parser.add_argument(
            "--train", metavar="DATA", help="the training split, where it is not at the path in the archive's config"
        )
        add_cuda_device(parser)

    def run(self, args: argparse.Namespace, console: Console) -> int:
        output = _writable(args.output)
        archives = [args.archive, *([args.against] if args.against else [])]
        names = model_names(archives)
        training = _training(load_archive(args.archive), args.train)
        if isinstance(training, str):
            console.say(f"Nothing is known of the training split: {training}")
        models = dict(zip(names, tag_with_each(archives, args.data, args.cuda_device, console.progress)))
        page = render(
            models,
            without_secrets(args.data),
            list(map(without_secrets, archives)),
            version("roseq-allennlp"),
            training,
        )
        _write_at_once(output, page)

        rows = []
        for name, sentences in models.items():
            overall = score_of(sentences).overall
            low, high = f1_interval(sentence_counts(sentences))
            rows.append([name, overall.precision, overall.recall, overall.f1, f"{low:.2f} to {high:.2f}"])
        console.table(["model", "precision", "recall", "F1", "95 % interval"], rows, str(args.data))
        console.print(f"The report is {output}")
        return 0


def _writable(path: str) -> Path:
    """Before the work begins; directories are made."""
    output = Path(path)
    if output.is_dir():
        raise ConfigurationError(f"{output}: is a directory; give the name of a file for the report.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{output}: its directory cannot be made ({error.strerror}); give another place for the report."
        ) from error
    if not os.access(output.parent, os.W_OK):
        raise ConfigurationError(f"{output}: its directory cannot be written to; give another place for the report.")
    return output


def _write_at_once(output: Path, page: str) -> None:
    with replacing(output) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _training(archive: Archive, given: Union[str, None]) -> Union[Training, str]:
    path = given or archive.config.get("train_data_path")
    if not isinstance(path, str):
        return "the archive's config names no training data; give it with --train."
    try:
        instances = read_labelled(archive.dataset_reader, path)
    except ConfigurationError as error:
        if given:
            raise
        return without_secrets(f"{error.message} Give it with --train.")
    return training_of(map(words_of, instances), map(gold_tags, instances))
