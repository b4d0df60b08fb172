import math
import re

import pytest

from roseq_allennlp.evaluation.calibration import Bin, Point
from roseq_allennlp.evaluation.figures import Bars, precision_recall_diagram, reliability_diagram


def texts(picture):
    return re.findall(r">([^<>\n]+)</text>", picture)


@pytest.mark.parametrize(
    ("scale", "values", "written", "lengths"),
    [
        ("percent", [97.25, 0.0, math.nan], ["97.2", "0.0", "none"], [0.9725, 0, 0]),
        ("count", [1500, 30, 0], ["1,500", "30", "0"], [1, 0.02, 0]),
        ("log", [50_000, 5, 0], ["50,000", "5", "0"], [1, 0.2, 0]),  # five decades from 0.5
        ("count", [0], ["0"], [0]),
        ("log", [0], ["0"], [0]),
        ("percent", [], [], []),
    ],
)
def test_bars(scale, values, written, lengths):
    bars = Bars("caption", [("label", "")] * len(values), {"one": values}, scale)
    assert [bars.written(value) for value in values] == written
    assert [bars.length(value) for value in values] == pytest.approx(lengths)


def test_several_series_have_one_scale():
    bars = Bars("caption", [("label", "")], {"one": [10], "other": [40]}, "count")
    assert (bars.length(10), bars.length(40)) == (0.25, 1)


def test_precision_recall_diagram():
    points = [Point(0.9, 1.0, 0.2), Point(0.4, 0.5, 0.8)]
    plain = precision_recall_diagram("p", "m", {"<X>": points, "nothing": []}, {})
    assert "&lt;X&gt;" in plain and "m" in texts(plain) and 'aria-label="m: precision and recall by type' in plain
    marked = precision_recall_diagram("p", "m", {"<X>": points, "nothing": []}, {"<X>": points[:1]})
    assert marked.count("<use") > plain.count("<use")
    assert precision_recall_diagram("p", "m", {}, {})


def test_reliability_diagram():
    picture = reliability_diagram("r", {"m": [Bin(0.8, 0.9, 5, 0.85, 0.6)], "nothing": []})
    assert {"m", "nothing", "equal"} <= set(texts(picture))
