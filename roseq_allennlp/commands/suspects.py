import argparse
import json
import os
import re
import shlex
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.commands.training_runs import Train, describe, keep_text, start_training, train_to_the_end
from roseq_allennlp.console import Console
from roseq_allennlp.data.catalogue import CONFIGS, CORPORA
from roseq_allennlp.data.folds import folds_of
from roseq_allennlp.data.formats.json_rows import write_rows
from roseq_allennlp.data.formats.label_studio import write_reviews
from roseq_allennlp.data.training_mix import Sentence, write_sentences
from roseq_allennlp.evaluation.out_of_fold import Tagged, tagged
from roseq_allennlp.evaluation.suspect_rows import as_review, as_row, suspect_sentences
from roseq_allennlp.evaluation.suspects_page import render
from roseq_allennlp.experiments.folds import fold_config, training_sentences
from roseq_allennlp.experiments.measuring import device_of
from roseq_allennlp.files import replacing
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.scoring.suspects import KINDS
from roseq_allennlp.text import without_secrets
from roseq_allennlp.training.config_check import check_config
from roseq_allennlp.training.overrides import read_config
from roseq_allennlp.version import VERSION


def run(args: argparse.Namespace, console: Console) -> int:
    """Trains the folds, ranks what is probably labelled wrong, and writes it."""
    for name, least in (("folds", 2), ("epochs", 1), ("sentences", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ConfigurationError(f"--{name} must be at least {least}; got {value}.")
    output = _outputs(args.output)
    written, config = _config(args.config, args.overrides)
    check_config(written, config, args.config, "--overrides")
    if args.sentences:
        config["validation_dataset_reader"] = config.get("validation_dataset_reader", config["dataset_reader"])
        config["dataset_reader"] = {**config["dataset_reader"], "max_instances": args.sentences}
    stem = args.config if args.config in CORPORA else Path(args.config).stem
    directory = Path(args.serialization_dir or "runs/suspects/" + re.sub(r"[^\w.-]+", "-", stem))
    folds = train_folds(args.config, config, directory, args.folds, args.epochs, args.seed, console)
    sentences = tag_folds(folds, console)
    suspects = suspect_sentences(sentences)
    write_rows(map(as_row, suspects), str(output.rows))
    write_reviews(map(as_review, suspects), str(output.tasks))
    epochs = "the development data of the config choose the best"
    if not config.get("validation_data_path"):
        epochs = "the last one counts, as the config has no development data"
    about = [
        ("Taggers", f"{args.folds}, each trained without the sentences that it tags, {args.epochs} epochs; {epochs}")
    ]
    data = without_secrets(str(config["train_data_path"]))
    command = shlex.join(["roseq", *map(without_secrets, sys.argv[1:])])
    page = render(suspects, data, len(sentences), about, VERSION, command, config)
    with replacing(output.page) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    counts = Counter(suspect.kind for one in suspects for _, (_, suspect, _) in one.suspects)
    console.table(["kind", "suspects"], [[kind, counts[kind]] for kind in KINDS], f"{data}: {len(sentences)} sentences")
    console.print(f"The page is {output.page}, the rows are {output.rows}, the tasks of Label Studio {output.tasks}")
    return 0


class _Outputs(NamedTuple):
    page: Path
    rows: Path
    tasks: Path


def _outputs(name: str) -> _Outputs:
    page = Path(name)
    outputs = _Outputs(page, page.with_suffix(".jsonl"), page.with_suffix(".json"))
    if page in outputs[1:]:
        raise ConfigurationError(
            f"{name}: is the name of the page, and files that end in .jsonl and .json are written beside it. Give a name such as"
            " suspects.html."
        )
    for output in outputs:
        prepared(str(output))
    return outputs


def _config(name: str, overrides: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if name in CORPORA:
        variables = {"ROSEQ_CORPUS": name, "ROSEQ_COMPONENTS": "", "ROSEQ_VECTORS": ""}
        return read_config(CONFIGS / "ablation.jsonnet", overrides, "--overrides", variables)
    if not Path(name).exists():
        raise ConfigurationError(
            f"{name} is neither a file nor in the catalogue of corpora. Give a training config, or one of {', '.join(CORPORA)}."
        )
    return read_config(name, overrides, "--overrides")


class Folds(NamedTuple):
    """
    # Parameters

    sentences : `List[Sentence]`
        All training sentences.
    runs : `Dict[Path, List[int]]`
        The indices of the sentences that each run has not seen.
    """

    sentences: list[Sentence]
    runs: dict[Path, list[int]]


def train_folds(
    name: str,
    config: dict[str, Any],
    directory: Path,
    number: int,
    epochs: Optional[int],
    seed: int,
    console: Console,
    train: Optional[Train] = None,
) -> Folds:
    """
    Trains a tagger without each fold of the training data, unless it is trained.

    # Parameters

    name : `str`
        Of the config, for messages.
    config : `Dict[str, Any]`
        Of a training run on all the data.
    directory : `Path`
        Receives, for each fold, what is trained on, the config, the run and its log: `foldN.conll`, `foldN.json`, `foldN`,
        `foldN.log`.
    number : `int`
        Of folds.
    epochs : `int`, optional (default = those of the config)
    seed : `int`
        Of the division into folds.
    console : `Console`
    train : `Train`, optional
        Starts a training run in a new process.

    # Raises

    `ConfigurationError`: data that make no folds; a directory with other folds; a training run that failed.
    """
    reader, sentences = training_sentences(config, name)
    try:
        folds = folds_of(len(sentences), number, seed)
    except ValueError as error:
        raise ConfigurationError(f"{config['train_data_path']}: {error}. Change --folds, or give more data.") from error
    runs = {
        directory / f"fold{fold + 1}": [index for index, own in enumerate(folds) if own == fold]
        for fold in range(number)
    }
    for fold, run in enumerate(runs):
        file = run.with_suffix(".conll")
        _keep_sentences(file, [one for one, own in zip(sentences, folds, strict=True) if own != fold], directory)
        text = json.dumps(fold_config(config, reader, file, epochs), indent=2)
        keep_text(run.with_suffix(".json"), f"{text}\n", directory)
    with console.bar(number, "folds") as bar:
        for run in runs:
            if not (run / "metrics.json").exists():
                if console.plain:
                    console.report(f"{run.name} of {number}, log in {run.with_suffix('.log')}")
                train_to_the_end(run, train or start_training, console, partial(describe, bar, run.name))
            bar.update()
    return Folds(sentences, runs)


def tag_folds(folds: Folds, console: Console) -> list[Tagged]:
    """Returns all sentences, in their order, as the taggers that have not seen them tag them."""
    results: dict[int, Tagged] = {}
    for run, indices in console.progress(list(folds.runs.items()), "tagging"):
        archive = load_archive(run, device_of(run))
        of_fold = tagged(archive.model, archive.dataset_reader, [folds.sentences[index] for index in indices])
        results.update(zip(indices, of_fold, strict=True))
    return [results[index] for index in range(len(results))]


def _keep_sentences(file: Path, sentences: list[Sentence], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}")
    try:
        write_sentences(new, sentences)
        keep_text(file, new.read_text(encoding="utf-8"), directory)
    finally:
        new.unlink(missing_ok=True)
