"""Results of training runs, each a line of JSON."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.files import replacing
from roseq_allennlp.scoring.conlleval import Counts, total


@dataclass(frozen=True)
class HeldOut:
    """
    The result on the test split, read once with the weights of the best development epoch.

    # Parameters

    labels : `Dict[str, List[int]]`
        Correct, predicted and gold entities of each type.
    sentences : `int`
    counts : `List[List[int]]`
        Number of a sentence, from 0, with its correct, predicted and gold entities; sentences without any are left out.
    noise : `Dict[str, float]`
        F1 in percent, by the share of mistyped words.
    """

    labels: dict[str, list[int]]
    sentences: int
    counts: list[list[int]]
    noise: dict[str, float]

    @property
    def overall(self) -> Counts:
        return total({label: Counts(*counts) for label, counts in self.labels.items()})

    def sentence_counts(self) -> np.ndarray:
        """Returns the counts as `bootstrap.sentence_counts` does: `(sentences, 3)` int64."""
        counts = np.zeros((self.sentences, 3), dtype=np.int64)
        if self.counts:
            rows = np.array(self.counts, dtype=np.int64)
            counts[rows[:, 0]] = rows[:, 1:]
        return counts


@dataclass(frozen=True)
class Run:
    """
    The result of a training run, with F1, precision and recall in percent.

    # Parameters

    corpus : `str`
        The corpus's name in the catalogue.
    system : `str`
        The system's name in `ablation.TITLES`.
    seed : `int`
    settings : `Dict[str, Any]`
        Changes to the system's config, by dotted key; `sentences` limits the training sentences to the first ones,
        `vectors` are others than the corpus's, and `without` has the parts that the tagger lacks.
    dev_f1, dev_precision, dev_recall : `float`
        The scores of the best epoch.
    test_f1 : `float`, optional
        `None` if the test split has not been read, as in tuning.
    best_epoch, epochs : `int`
        The number of the best epoch, from 0, and the number of epochs.
    seconds : `float`
        The time of training and validation.
    train_entities : `Dict[str, int]`
        The number of entities of each type in the sentences trained on.
    revision : `str`
        Git revision of the code, with `+` if the tree was dirty.
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
        """Identifies the run."""
        return self.corpus, json.dumps(self.settings, sort_keys=True), self.system, self.seed

    def as_line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def read_results(files: Iterable[Union[str, os.PathLike]]) -> list[Run]:
    """
    Reads the results of files, in their order.

    # Raises

    `ConfigurationError`: a file cannot be read, a line is not a result, or a run occurs twice.
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
                raise ConfigurationError(f"{file}:{number}: this run occurs twice: {run.key}. Remove one of the lines.")
            runs[run.key] = run
    return list(runs.values())


def _run_of(line: str, position: str) -> Run:
    try:
        values = json.loads(line)
        test = values["test"] and HeldOut(**values["test"])
        return Run(**{**values, "test": test})
    except (ValueError, TypeError, KeyError) as error:
        names = ", ".join(field.name for field in fields(Run))
        raise ConfigurationError(
            f"{position}: is not the result of a run, a JSON object with {names}. {error}"
        ) from error


def keep_result(file: Union[str, os.PathLike], run: Run) -> None:
    """Adds the result of a run to a file; it replaces an earlier result of the same run."""
    file = Path(file)
    others = [other for other in read_results([file]) if other.key != run.key] if file.exists() else []
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        lines = [kept.as_line() + "\n" for kept in sorted([*others, run], key=lambda run: run.key)]
        temporary.write_text("".join(lines), encoding="utf-8")
