"""What is drawn, by the figures that are about to be saved."""

from pathlib import Path

import pytest

from roseq_allennlp.evaluation import plots
from roseq_allennlp.experiments.results_plots import PLOTS
from roseq_allennlp.experiments.systems import SYSTEMS, TITLES

BETTER = [[0, 1, 1, 1], [3, 1, 1, 1]]  # F1 100 where the others have 40


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))

    def draw(name, runs):
        PLOTS[name](runs, Path("none.svg"))
        return figures[-1]

    return draw


@pytest.fixture
def runs(run):
    return [run("base", 1, 40.0), run("base", 2, 42.0), run("roseq", 1, 100.0, counts=BETTER)]


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_gains(run, runs, drawn):
    frozen = {"vectors": "frozen:x/y"}
    other = [run(system, 1, 40.0, "conll2002-nl", frozen) for system in ("base", "roseq")]
    parts = [{"sentences": 3}, {"sentences": 3, **frozen}, {"trained_on": "train and dev", **frozen}]
    left_out = [run(system, 1, 40.0, settings=part) for system in ("base", "roseq") for part in parts]
    (axes,) = drawn("gains", [*runs, *other, *left_out]).axes
    assert names(axes) == ["conll2002-nl, frozen", "wnut17, vectors of its config"]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() in ("o", "s")]
    expected = [(0, 0), (2.84, 0), (60, 1), (3.91, 1)]  # ours and the paper's, in turn
    assert [value for point in points for value in point] == pytest.approx(
        [value for pair in expected for value in pair]
    )
    (_, _, (bars,)) = axes.containers[1]
    ((low, _), (high, _)) = bars.get_segments()[0]
    assert 0 <= low < 60 < high <= 100


def test_noise(runs, drawn):
    (axes,) = drawn("noise", runs).axes
    assert axes.get_title() == "wnut17" and [line.get_label() for line in axes.lines] == [
        SYSTEMS["base"].title,
        SYSTEMS["roseq"].title,
    ]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0, 10]] * 2
    assert [list(line.get_ydata()) for line in axes.lines] == [[40, 30], [100, 30]]


def test_sizes(run, runs, drawn):
    part = [run(system, 1, 40.0, settings={"sentences": 3}) for system in ("base", "roseq")]
    (axes,) = drawn("sizes", [*runs, *part, run("base", 3, 100.0, counts=BETTER)]).axes
    means = [list(line.get_ydata()) for line in axes.lines if line.get_label() in TITLES.values()]
    assert means == [[40, 60], [40, 100]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16"] * 2  # entities of both sizes
    assert axes.get_xscale() == "log" and not drawn("sizes", runs).axes
