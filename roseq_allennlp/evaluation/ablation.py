"""What each component adds (Table IV): the results of an ablation's runs, and their table and plot."""

import csv
import json
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from roseq_allennlp.evaluation import plots
from roseq_allennlp.evaluation.tables import table

SYSTEMS = {
    "base": "Base Model",
    "lacrf": "+LACRF",
    "fl": "+FL",
    "at": "+AT",
    "lacrf_fl": "+LACRF +FL",
    "lacrf_at": "+LACRF +AT",
    "fl_at": "+FL +AT",
    "lacrf_fl_at": "RoSeq Model",
}
"""Table IV's, in its order: the directory of each, its components joined by `_`, and its name there."""

HEADERS = ("system", "seeds", "development F1", "test F1", "test, change", "minutes a run")


class Result(NamedTuple):
    """Of one run, in percent: its best development epoch, and the test split read once with the weights of that epoch."""

    system: str
    seed: int
    development_precision: float
    development_recall: float
    development_f1: float
    test_precision: float
    test_recall: float
    test_f1: float
    best_epoch: int
    epochs: int
    seconds: float
    """Of training and validation."""


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


def write_result(file: Path, result: Result) -> None:
    file.write_text(json.dumps(result._asdict(), indent=2) + "\n", encoding="utf-8")


def read_result(file: Path) -> Result:
    return Result(**json.loads(file.read_text(encoding="utf-8")))


def summary(results: Sequence[Result]) -> list[list[Any]]:
    """A row for each system with results, under `HEADERS`: mean ± sample standard deviation over its seeds."""
    rows = []
    base = [result.test_f1 for result in results if result.system == "base"]
    for system, name in SYSTEMS.items():
        own = [result for result in results if result.system == system]
        if not own:
            continue
        test = [result.test_f1 for result in own]
        change = f"{statistics.mean(test) - statistics.mean(base):+.2f}" if base and system != "base" else ""
        minutes = statistics.mean(result.seconds for result in own) / 60
        development = _mean_and_deviation([result.development_f1 for result in own])
        rows.append([name, len(own), development, _mean_and_deviation(test), change, minutes])
    return rows


def _mean_and_deviation(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def write_tables(directory: Path, corpus: str, results: Sequence[Result]) -> None:
    """`table.md`, `table.csv` with a row for each run, and `plot.svg`."""
    lines = table(HEADERS, summary(results), "github")
    about = (
        f"Ablation on {corpus}. F1 in percent, mean ± sample standard deviation over seeds; the epoch is that of the best"
        " development F1, with which the test split is read once. Change: of mean test F1, from the base model."
    )
    (directory / "table.md").write_text(f"{about}\n\n{lines}\n", encoding="utf-8")
    with open(directory / "table.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Result._fields)
        writer.writerows(results)
    _plot(directory / "plot.svg", corpus, results)


def _plot(path: Path, corpus: str, results: Sequence[Result]) -> None:
    shown = [system for system in SYSTEMS if any(result.system == system for result in results)]
    with plots.drawing(7.2, 4.2) as (figure, axes):
        for side, (split, look) in enumerate(zip(("development", "test"), plots.LOOKS)):
            for place, system in enumerate(shown):
                values = [getattr(result, f"{split}_f1") for result in results if result.system == system]
                middle = place + (side - 0.5) * 0.3
                axes.plot([middle] * len(values), values, look.marker, color=look.color, alpha=0.5, markersize=4)
                deviation = statistics.stdev(values) if len(values) > 1 else 0.0
                axes.errorbar(
                    middle,
                    statistics.mean(values),
                    deviation,
                    fmt=look.marker,
                    color=look.color,
                    markeredgecolor=plots.INK,
                    capsize=4,
                    label=split if not place else None,
                )
        axes.set_xticks(range(len(shown)), [SYSTEMS[system].replace(" ", "\n") for system in shown])
        axes.set_ylabel(f"F1 on {corpus}, %: mean ± deviation")
        axes.grid(True)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        plots.save(figure, path)
