"""Results of training runs, a line of JSON each."""

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import Archive

from roseq_allennlp.data.corpora import SCHEME
from roseq_allennlp.data.noise import add_noise
from roseq_allennlp.evaluation.bootstrap import sentence_counts
from roseq_allennlp.evaluation.scoring import Counts, entities, total
from roseq_allennlp.evaluation.tagged_data import gold_tags, read_labelled, score_of, tag_instances, words_of
from roseq_allennlp.files import replacing
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.version import VERSION

_NOISE = (0.1, 0.2, 0.3)  # levels that a run is scored at


@dataclass(frozen=True)
class HeldOut:
    """
    Of the test split, read once with the weights of the best development epoch.

    # Parameters

    labels : `Dict[str, List[int]]`
        Correct, predicted and gold entities of each type.
    sentences : `int`
    counts : `List[List[int]]`
        Number of a sentence, from 0, with its correct, predicted and gold entities; sentences without any are left out.
    noise : `Dict[str, float]`
        F1 by share of words mistyped, in percent.
    """

    labels: dict[str, list[int]]
    sentences: int
    counts: list[list[int]]
    noise: dict[str, float]

    @property
    def overall(self) -> Counts:
        return total({label: Counts(*counts) for label, counts in self.labels.items()})

    def sentence_counts(self) -> np.ndarray:
        """`(sentences, 3)` int64, as `bootstrap.sentence_counts`."""
        found = np.zeros((self.sentences, 3), dtype=np.int64)
        if self.counts:
            rows = np.array(self.counts, dtype=np.int64)
            found[rows[:, 0]] = rows[:, 1:]
        return found


@dataclass(frozen=True)
class Run:
    """
    One training run. F1, precision and recall in percent.

    # Parameters

    corpus : `str`
        Of the catalogue.
    system : `str`
        Of `ablation.SYSTEMS`.
    seed : `int`
    settings : `Dict[str, Any]`
        What differs from the system's config, by dotted key; `sentences`, if only the first so many were trained on.
    dev_f1, dev_precision, dev_recall : `float`
        Of the best epoch.
    test_f1 : `float`, optional
        `None` where the test split has not been read: in tuning.
    best_epoch, epochs : `int`
        The best one, from 0, and how many there were.
    seconds : `float`
        Of training and validation.
    train_entities : `Dict[str, int]`
        Entities of each type that were trained on.
    revision : `str`
        Of the code; with a `+` where it had changes that are not committed.
    versions : `Dict[str, str]`
    test : `HeldOut`, optional
    """

    corpus: str
    system: str
    seed: int
    settings: dict[str, Any]
    dev_f1: float
    dev_precision: float
    dev_recall: float
    test_f1: Optional[float]
    best_epoch: int
    epochs: int
    seconds: float
    train_entities: dict[str, int]
    revision: str
    versions: dict[str, str]
    test: Optional[HeldOut]

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it one run and not another."""
        return self.corpus, json.dumps(self.settings, sort_keys=True), self.system, self.seed

    def as_line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def read_results(files: Iterable[Union[str, os.PathLike]]) -> list[Run]:
    """
    # Raises

    `ConfigurationError`: a file cannot be read, a line is no result, or a run stands there twice.
    """
    runs: dict[tuple[str, str, str, int], Run] = {}
    for file in map(Path, files):
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file}: cannot be read. {error}") from error
        for number, line in enumerate(lines, 1):
            run = _run_of(line, f"{file}:{number}")
            if run.key in runs:
                raise ConfigurationError(f"{file}:{number}: this run stands there already: {run.key}. Remove one.")
            runs[run.key] = run
    return list(runs.values())


def _run_of(line: str, place: str) -> Run:
    try:
        values = json.loads(line)
        test = values["test"] and HeldOut(**values["test"])
        return Run(**{**values, "test": test})
    except (ValueError, TypeError, KeyError) as error:
        names = ", ".join(field.name for field in fields(Run))
        raise ConfigurationError(f"{place}: is no result of a run, a JSON object with {names}. {error}") from error


def keep_result(file: Union[str, os.PathLike], run: Run) -> None:
    """Adds a run to a file, in place of an earlier result of the same run."""
    file = Path(file)
    others = [each for each in read_results([file]) if each.key != run.key] if file.exists() else []
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        lines = [each.as_line() + "\n" for each in sorted([*others, run], key=lambda run: run.key)]
        temporary.write_text("".join(lines), encoding="utf-8")


def revision() -> str:
    """Of the checkout that the package lies in; its version where it is installed without one."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # else the checkout around it is another project's
        changed = git(
            "status", "--porcelain", "--untracked-files=no", "--", str(here), str(here.parent / "training_configs")
        )
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return VERSION


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "allennlp")}}


def epochs_of(run: Path) -> list[dict[str, Any]]:
    """The metrics of the epochs that a run has finished, in order."""
    files = sorted(run.glob("metrics_epoch_*.json"), key=lambda file: int(file.stem.rpartition("_")[2]))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def seconds_of(epochs: Sequence[dict[str, Any]]) -> float:
    """
    Of all finished epochs. `training_duration` begins anew with each resumption of a run; what was lost with an epoch
    that broke off is not in it.
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
    """What a training in this directory, that has ended, came to. Without `read_test` the test split is left alone."""
    archive = load_archive(directory)
    metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    epochs = epochs_of(directory)
    trained_on = read_labelled(archive.dataset_reader, f"{SCHEME}://{corpus}/train")
    test = _held_out(archive, f"{SCHEME}://{corpus}/test") if read_test else None
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
        train_entities=dict(Counter(span.label for each in trained_on for span in entities(gold_tags(each)))),
        revision=revision(),
        versions=versions(),
        test=test,
    )


def _held_out(archive: Archive, data_path: str) -> HeldOut:
    reader = archive.validation_dataset_reader
    instances = read_labelled(reader, data_path)
    tagged = tag_instances(archive, instances)
    counts = [[number, *row.tolist()] for number, row in enumerate(sentence_counts(tagged)) if row.any()]
    texts, gold = [words_of(instance) for instance in instances], [gold_tags(instance) for instance in instances]
    noise = {}
    for level in _NOISE:
        noisy = [reader.text_to_instance(*each) for each in zip(add_noise(texts, level), gold)]
        noise[f"{level:g}"] = score_of(tag_instances(archive, noisy)).overall.f1
    return HeldOut(
        labels={label: list(found) for label, found in score_of(tagged).types.items()},
        sentences=len(tagged),
        counts=counts,
        noise=noise,
    )
