"""Measures what a finished training run came to: development and test scores, time, versions."""

import json
import platform
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from allennlp.data import DatasetReader, Instance

from roseq_allennlp.data.corpora import SCHEME
from roseq_allennlp.data.noise import add_noise
from roseq_allennlp.evaluation.bootstrap import sentence_counts
from roseq_allennlp.evaluation.tagged_data import (
    TaggedSentence,
    gold_tags,
    read_labelled,
    score_of,
    tag_instances,
    words_of,
)
from roseq_allennlp.experiments.results import HeldOut, Run
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.scoring.conlleval import entities
from roseq_allennlp.version import VERSION

_NOISE = (0.1, 0.2, 0.3)  # levels that a run is scored at


def revision() -> str:
    """Returns the git revision, with `+` if the tree was dirty, or outside a checkout the package's version."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # fails if the checkout around it is another project's
        changed = git(
            "status", "--porcelain", "--untracked-files=no", "--", str(here), str(here.parent / "training_configs")
        )
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return VERSION


def versions() -> dict[str, str]:
    """Versions of Python, torch and AllenNLP."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "allennlp")}}


def epochs_of(run: Path) -> list[dict[str, Any]]:
    """Returns the metrics of the epochs that a run has finished, in order."""
    files = sorted(run.glob("metrics_epoch_*.json"), key=lambda file: int(file.stem.rpartition("_")[2]))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def seconds_of(epochs: Sequence[dict[str, Any]]) -> float:
    """
    Returns the time of all finished epochs. `training_duration` restarts when a run is resumed; the time of an epoch that
    broke off is not included.
    """
    total = last = 0.0
    for epoch in epochs:
        elapsed = _seconds(epoch["training_duration"])
        total += elapsed - last if elapsed >= last else elapsed
        last = elapsed
    return total


def _seconds(duration: str) -> float:
    days, _, clock = duration.rpartition(", ")  # "1 day, 2:03:04.5"
    moment = datetime.strptime(clock, "%H:%M:%S.%f" if "." in clock else "%H:%M:%S")
    since_midnight = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
    whole = timedelta(days=int(days.split()[0]) if days else 0) + since_midnight
    return whole.total_seconds() + moment.microsecond / 1e6


def result_of(
    directory: Path, corpus: str, system: str, seed: int, settings: dict[str, Any], read_test: bool = True
) -> Run:
    """Returns the result of a finished training run in this directory; without `read_test` the test split is not read."""
    archive = load_archive(directory, device_of(directory))
    metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    epochs = epochs_of(directory)
    trained_on = read_labelled(archive.dataset_reader, f"{SCHEME}://{corpus}/train")
    reader, tag = archive.validation_dataset_reader, partial(tag_instances, archive)
    test = held_out(reader, f"{SCHEME}://{corpus}/test", tag) if read_test else None
    return Run(
        corpus=corpus,
        system=system,
        seed=seed,
        settings=settings,
        dev_f1=100 * metrics["best_validation_f1-measure-overall"],
        dev_precision=100 * metrics["best_validation_precision-overall"],
        dev_recall=100 * metrics["best_validation_recall-overall"],
        test_f1=None if test is None else test.overall.f1,
        best_epoch=metrics["best_epoch"],
        epochs=len(epochs),
        seconds=seconds_of(epochs),
        train_entities=dict(Counter(span.label for instance in trained_on for span in entities(gold_tags(instance)))),
        revision=revision(),
        versions=versions(),
        test=test,
    )


def device_of(directory: Path) -> int:
    """Returns the GPU that a run trains on, -1 for the CPU: the one that its config names, or the first one if there is one."""
    device = json.loads((directory / "config.json").read_text(encoding="utf-8"))["trainer"].get("cuda_device")
    return (0 if torch.cuda.is_available() else -1) if device is None else device


def held_out(reader: DatasetReader, data_path: str, tag: Callable[[list[Instance]], list[TaggedSentence]]) -> HeldOut:
    """Returns the result of a tagger on a labelled file, as it is and with mistyped words."""
    instances = read_labelled(reader, data_path)
    tagged = tag(instances)
    counts = [[number, *row.tolist()] for number, row in enumerate(sentence_counts(tagged)) if row.any()]
    texts, gold = [words_of(instance) for instance in instances], [gold_tags(instance) for instance in instances]
    noise = {}
    for level in _NOISE:
        noisy = [
            reader.text_to_instance(words, tags) for words, tags in zip(add_noise(texts, level), gold, strict=True)
        ]
        noise[f"{level:g}"] = score_of(tag(noisy)).overall.f1
    return HeldOut(
        labels={label: list(of_type) for label, of_type in score_of(tagged).types.items()},
        sentences=len(tagged),
        counts=counts,
        noise=noise,
    )
