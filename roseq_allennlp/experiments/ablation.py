"""The ablation of Table IV: its systems, and the table and plot of their runs."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from roseq_allennlp.evaluation import plots
from roseq_allennlp.experiments.results import Run
from roseq_allennlp.experiments.systems import SYSTEMS
from roseq_allennlp.tables import table

HEADERS = ("system", "seeds", "development F1", "test F1", "test, change", "minutes a run")


def named_vectors(vectors: str) -> str:
    """Returns `ROSEQ_VECTORS` as results have it: with the name of a file or folder, and not where it is on this machine."""
    kind, colon, name = vectors.partition(":")
    file, _, dimension = name.rpartition(":") if kind == "fixed" else (name, "", "")
    if not Path(file).exists():
        return vectors
    return ":".join(filter(None, [kind, Path(file).resolve().name, dimension]))


def summary(runs: Sequence[Run]) -> list[list[Any]]:
    """Returns a row for each system with runs, under `HEADERS`: mean ± sample standard deviation over its seeds."""
    rows = []
    base = mean([run.test_f1 for run in runs if run.system == "base"])
    for name, system in SYSTEMS.items():
        of_system = [run for run in runs if run.system == name]
        if not of_system:
            continue
        test = [run.test_f1 for run in of_system]
        test_mean = mean(test)
        change = "" if base is None or test_mean is None or name == "base" else f"{test_mean - base:+.2f}"
        minutes = statistics.mean(run.seconds for run in of_system) / 60
        rows.append(
            [
                system.title,
                len(of_system),
                mean_and_deviation([run.dev_f1 for run in of_system]),
                mean_and_deviation(test),
                change,
                minutes,
            ]
        )
    return rows


def mean(values: Sequence[Optional[float]]) -> Optional[float]:
    """Returns the mean, or `None` if there are no values or one is missing."""
    known = _all_known(values)
    return statistics.mean(known) if known else None


def mean_and_deviation(values: Sequence[Optional[float]]) -> str:
    """Returns mean ± sample standard deviation, or an empty text if a value is missing."""
    known = _all_known(values)
    if not known:
        return ""
    text = f"{statistics.mean(known):.2f}"
    return f"{text} ± {statistics.stdev(known):.2f}" if len(known) > 1 else text


def _all_known(values: Sequence[Optional[float]]) -> list[float]:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def write_tables(directory: Path, corpus: str, runs: Sequence[Run]) -> None:
    """Writes `table.md` and `plot.svg`."""
    lines = table(HEADERS, summary(runs), "github")
    about = (
        f"Ablation on {corpus}. F1 in percent, mean ± sample standard deviation over seeds; the epoch is that of the best"
        " development F1, with which the test split is read once. Change: of mean test F1, from the base model."
    )
    (directory / "table.md").write_text(f"{about}\n\n{lines}\n", encoding="utf-8")
    _plot(directory / "plot.svg", corpus, runs)


def _plot(path: Path, corpus: str, runs: Sequence[Run]) -> None:
    shown = [system for system in SYSTEMS if any(run.system == system for run in runs)]
    with plots.drawing(7.2, 4.2) as (figure, axes):
        for side, (split, look) in enumerate(zip(("development", "test"), plots.LOOKS, strict=False)):
            for index, system in enumerate(shown):
                scores = [run.dev_f1 if not side else run.test_f1 for run in runs if run.system == system]
                values = [score for score in scores if score is not None]
                if not values:
                    continue
                middle = index + (side - 0.5) * 0.3
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
                    label=split if not index else None,
                )
        axes.set_xticks(range(len(shown)), [SYSTEMS[system].title.replace(" ", "\n") for system in shown])
        axes.set_ylabel(f"F1 on {corpus}, %: mean ± deviation")
        axes.grid(True)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        plots.save(figure, path)
