import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Union

from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import Archive

from roseq_allennlp.console import Console
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.data.corpora import SCHEME
from roseq_allennlp.evaluation.bootstrap import sentence_counts
from roseq_allennlp.evaluation.comparison import tag_with_loaded
from roseq_allennlp.evaluation.report import render, training_of
from roseq_allennlp.evaluation.report_sections import Training
from roseq_allennlp.evaluation.score_rows import HEADERS, score_row
from roseq_allennlp.evaluation.tagged_data import (
    gold_tags,
    model_names,
    read_labelled,
    words_of,
)
from roseq_allennlp.files import replacing
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.text import without_secrets
from roseq_allennlp.version import VERSION

_CATALOGUE = {f"{SCHEME}://{name}/{file}" for name, corpus in CORPORA.items() for file in corpus.files}


def run(args: argparse.Namespace, console: Console) -> int:
    """Writes scores, errors and sentences as one page."""
    output = _writable(args.output)
    paths = [args.archive, *([args.against] if args.against else [])]
    names = model_names(paths)
    archives = [load_archive(path, args.cuda_device) for path in paths]
    training = _training(archives[0], args.train)
    if isinstance(training, str):
        console.say(f"Nothing is known of the training split: {training}")
    configs = {name: archive.config.as_dict(quiet=True) for name, archive in zip(names, archives, strict=True)}
    tagged = tag_with_loaded(paths, archives, args.data, console.progress)
    models = dict(zip(names, tagged, strict=True))
    uncalibrated = {
        name: tag_with_loaded([path], [archive], args.data, console.progress)[0]
        for name, path, archive in zip(names, paths, archives, strict=True)
        if _uncalibrate(archive)
    }
    thresholds = {name: getattr(archive.model, "thresholds", {}) for name, archive in zip(names, archives, strict=True)}
    command = shlex.join(["roseq", *map(without_secrets, sys.argv[1:])])
    page = render(
        models,
        without_secrets(args.data),
        list(map(without_secrets, paths)),
        VERSION,
        training,
        command,
        configs,
        uncalibrated,
        thresholds,
    )
    _write_at_once(output, page)

    rows = [score_row(name, sentence_counts(sentences)) for name, sentences in models.items()]
    console.table(HEADERS, rows, str(args.data))
    console.print(f"The report is {output}")
    return 0


def _uncalibrate(archive: Archive) -> bool:
    """Takes the temperature out of a tagger; returns whether it has one."""
    crf = getattr(archive.model, "crf", None)
    if not isinstance(crf, ConditionalRandomField) or crf.temperature == 1:
        return False
    crf.temperature = 1.0
    return True


def _writable(path: str) -> Path:
    """Returns the report's path, makes its directory, and checks before the work begins that it can be written."""
    output = Path(path)
    if output.is_dir():
        raise ConfigurationError(f"{output}: is a directory; give the name of a file for the report.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{output}: its directory cannot be made ({error.strerror}); give another path for the report."
        ) from error
    if not os.access(output.parent, os.W_OK):
        raise ConfigurationError(f"{output}: its directory cannot be written to; give another path for the report.")
    return output


def _write_at_once(output: Path, page: str) -> None:
    with replacing(output) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _training(archive: Archive, given: Union[str, None]) -> Union[Training, str]:
    """Whoever wrote the archive chose the path in its config: it may only name a corpus, and no error quotes a file."""
    path = given or archive.config.get("train_data_path")
    if not given and (not isinstance(path, str) or path not in _CATALOGUE):
        return (
            "the archive's config names no corpus of the catalogue, and other files are not read. Give it with --train."
        )
    try:
        instances = read_labelled(archive.dataset_reader, path)
    except ConfigurationError:
        if given:
            raise
        return f"{path} is not at hand, or the archive's reader does not read it. Give it with --train."
    return training_of(map(words_of, instances), map(gold_tags, instances))
