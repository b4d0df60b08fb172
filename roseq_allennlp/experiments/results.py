"""Results of training runs, a line of JSON each."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.files import replacing
from roseq_allennlp.scoring.conlleval import Counts, total


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
