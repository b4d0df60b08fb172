"""The plots of a page of results, from the runs themselves."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.evaluation import plots
from roseq_allennlp.experiments.results import Run
from roseq_allennlp.experiments.results_groups import (
    COMPARED,
    Systems,
    by_size,
    compared,
    gain,
    groups,
    held_out,
    on_training_split,
)
from roseq_allennlp.experiments.systems import SYSTEMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gains(runs: Sequence[Run], path: Path) -> str:
    """Draws RoSeq's gain over the base model on the same vectors, with its interval, and the paper's gain on the corpus."""
    rows: list[tuple[str, str, Systems]] = []
    for (corpus, settings), systems in groups(runs).items():
        changes = json.loads(settings)
        whole = not changes or ("vectors" in changes and on_training_split(changes))
        if {"base", "roseq"} <= systems.keys() and whole:
            rows.append((corpus, changes.get("vectors", "vectors of its config").partition(":")[0], systems))
    with plots.drawing(7.2, 1.2 + 0.3 * len(rows)) as (figure, axes):
        for index, (corpus, _, systems) in enumerate(rows):
            ours = gain(systems["base"], systems["roseq"])
            low, high = ours.difference - ours.interval.low, ours.interval.high - ours.difference
            look, label = plots.LOOKS[0], "measured, with its 95 % interval"
            axes.errorbar(
                ours.difference, index, xerr=[[low], [high]], fmt=look.marker, color=look.color, capsize=3, label=label
            )
            paper, look = CORPORA[corpus].paper, plots.LOOKS[1]
            if {"base", "roseq"} <= paper.keys():
                axes.plot(paper["roseq"] - paper["base"], index, look.marker, color=look.color, label="the paper's")
        axes.axvline(0, color=plots.INK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [f"{corpus}, {vectors}" for corpus, vectors, _ in rows])
        axes.invert_yaxis()
        axes.set_xlabel("RoSeq's test F1 minus that of its base model")
        _finish(figure, path, 2)
    return "RoSeq's gain in test F1 over its base model on the same vectors, by corpus, with 95 % intervals"


def noise(runs: Sequence[Run], path: Path) -> str:
    """Draws test F1 as words are mistyped."""
    corpora = list(compared(runs))
    with plots.several(len(corpora), 2, 3.6, 2.6) as (figure, cells):
        for axes, (corpus, sides) in zip(cells, corpora, strict=True):
            levels = ("0", *sides[0][0].noise)
            for system, side, look in zip(COMPARED, sides, plots.LOOKS, strict=False):
                if side:
                    f1 = [statistics.mean(one.noise.get(level, one.overall.f1) for one in side) for level in levels]
                    percent = [100 * float(level) for level in levels]
                    title = SYSTEMS[system].title
                    axes.plot(percent, f1, look.line, marker=look.marker, color=look.color, label=title)
            axes.set_title(corpus)
            axes.set_xlabel("words mistyped, %")
            axes.set_ylabel("test F1, %")
        _finish(figure, path, len(COMPARED))
    return "Test F1 as more of the words are mistyped, by corpus and system"


def sizes(runs: Sequence[Run], path: Path) -> str:
    """Draws test F1 by the number of labelled entities, of all runs and their mean."""
    corpora = by_size(runs)
    with plots.several(len(corpora), 2, 3.6, 2.6) as (figure, cells):
        for axes, (corpus, sizes_of_corpus) in zip(cells, corpora.items(), strict=True):
            for system, look in zip(("base", "roseq"), plots.LOOKS, strict=False):
                of_system = [systems[system] for _, systems in sorted(sizes_of_corpus.items())]
                entities = [sum(of_size[0].train_entities.values()) for of_size in of_system]
                title = SYSTEMS[system].title
                scores = [[one.overall.f1 for one in held_out(of_size)] for of_size in of_system]
                axes.plot(
                    entities,
                    list(map(statistics.mean, scores)),
                    look.line,
                    marker=look.marker,
                    color=look.color,
                    label=title,
                )
                for count, f1 in zip(entities, scores, strict=True):
                    axes.plot([count] * len(f1), f1, look.marker, color=look.color, alpha=0.4, markersize=3)
            axes.set_xscale("log")
            axes.set_xticks(entities, [str(count) for count in entities])
            axes.minorticks_off()
            axes.set_title(corpus)
            axes.set_xlabel("labelled entities")
            axes.set_ylabel("test F1, %")
        _finish(figure, path, 2)
    return "Test F1 by the number of labelled entities, by corpus and system"


def _finish(figure: "Figure", path: Path, columns: int) -> None:
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    by_label = {label: handle for handles, labels in found for handle, label in zip(handles, labels, strict=True)}
    if by_label:
        figure.legend(by_label.values(), by_label.keys(), loc="outside upper center", ncols=columns, frameon=False)
    plots.save(figure, path)


PLOTS: dict[str, Callable[[Sequence[Run], Path], str]] = {"gains": gains, "noise": noise, "sizes": sizes}
"""The functions that draw the plots of a page, by name. Each writes a picture, and returns what it shows in words."""
