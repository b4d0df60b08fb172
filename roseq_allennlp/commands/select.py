import argparse
import itertools
from collections.abc import Mapping
from typing import Optional

from allennlp.common.checks import ConfigurationError
from allennlp.models import Archive

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.commands.predict import reporter
from roseq_allennlp.console import Console
from roseq_allennlp.data import corpora
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.formats import format_of_output
from roseq_allennlp.data.label_statistics import count_labels
from roseq_allennlp.evaluation.tagged_data import read_labelled
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.inputs import STANDARD_INPUT, layout_of, local_path, rows
from roseq_allennlp.predictors.outputs import write
from roseq_allennlp.predictors.pool import chosen
from roseq_allennlp.predictors.selection import rarity


def run(args: argparse.Namespace, console: Console) -> int:
    """Chooses the sentences of a pool to label next."""
    if args.number < 1:
        raise ConfigurationError(f"--number must be at least 1, got {args.number}.")
    if args.pool.count(STANDARD_INPUT) > 1:
        raise ConfigurationError("standard input (-) can be read once.")
    output = prepared(args.output)
    output_format = args.output_format or _format(args.output)
    paths = [local_path(name) for name in args.pool]
    with gate.inside():
        archive = load_archive(args.archive, args.cuda_device)
        tagger = NerTagger.from_archive(archive)
    if not isinstance(tagger, NerTagger):
        raise ConfigurationError(f"{args.archive}: its predictor is {type(tagger).__name__}, which is no `ner_tagger`.")
    weights = None if args.balance is None else rarity(_type_counts(archive, tagger, args))
    notes, layout = Tally(), layout_of(tagger)
    pool = itertools.chain.from_iterable(
        rows(path, name, args.input_format, layout, notes) for path, name in zip(paths, args.pool, strict=True)
    )
    counts = [0]

    with console.bar(None, "sentences read") as bar:

        def progress(number: int) -> None:
            counts[0] += number
            bar.update(number)

        report = reporter(console)
        tasks = chosen(tagger, pool, args.number, args.by, weights, report, progress)
    if not tasks:
        raise ConfigurationError(f"{', '.join(args.pool)}: no sentence that can be tagged. Give a pool of text.")
    answers = ((task.row, tagger._answer(task.sentence, task.unsure.answer)) for task in tasks)
    write(answers, output_format, output, report)
    for note in str(notes).split("; ") if notes.counts else []:
        console.say(note)
    table = [[label, sum(task.unsure.expected[label] for task in tasks)] for label in tagger.labels]
    console.table(["type", "entities expected"], table, f"{args.output}: {len(tasks)} of {counts[0]} sentences")
    if len(tasks) < args.number:
        console.say(f"The pool has no more than {len(tasks)} sentences that are not nearly the same.")
    return 0


def _format(output: str) -> str:
    return "doccano" if output.removesuffix(".gz").endswith(".jsonl") else format_of_output(output)


def _type_counts(archive: Archive, tagger: NerTagger, args: argparse.Namespace) -> dict[str, float]:
    """
    Entities of each type in the training data: those of --train, or those that the label-aware weights ζ were computed from
    (eq. 8), up to a common factor, or those of the corpus that the archive names.
    """
    counts = None if args.train else _counts_of_weights(tagger)
    if counts is None:
        counts = _counts_of_data(archive, args)
    return {label: counts.get(f"B-{label}", 0.0) + counts.get(f"U-{label}", 0.0) for label in tagger.labels}


def _counts_of_weights(tagger: NerTagger) -> Optional[Mapping[str, float]]:
    model = tagger.crf_model()
    tau: Optional[float] = getattr(getattr(model, "members", [model])[0], "tau", None)
    if not tau:
        return None
    labels = model.vocab.get_token_to_index_vocabulary("labels")
    return {tag: weight ** (-1 / tau) for tag, weight in zip(labels, model.crf.label_weights.tolist(), strict=True)}


def _counts_of_data(archive: Archive, args: argparse.Namespace) -> Mapping[str, float]:
    """Whoever wrote the archive chose the path in its config: it may only name a corpus of the catalogue."""
    path = args.train or archive.config.params.get("train_data_path")
    if not args.train and not str(path).startswith(f"{corpora.SCHEME}://"):
        raise ConfigurationError(
            f"{args.archive}: has no label-aware weights, which tell the number of labels of each type, and its config names no"
            " corpus of the catalogue. Give its training data with --train, or leave out --balance."
        )
    return count_labels(read_labelled(archive.dataset_reader, path), "labels")
