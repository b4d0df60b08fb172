"""The pictures of a report: bars that the page draws itself, and diagrams as SVG."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from roseq_allennlp.evaluation.calibration import Bin, Point
from roseq_allennlp.evaluation.plots import INK, LOOKS, drawing, inline_svg
from roseq_allennlp.text import shown

_SIZE = 3.5, 3.9  # inches; on a phone text keeps its size
_NONE = 0.5  # where a logarithmic scale of counts begins


class Bars(NamedTuple):
    """Horizontal bars: a group for each label, with a bar for each of `series` and its value beside it."""

    caption: str
    """What the bars measure, with the unit."""
    labels: Sequence[tuple[str, str]]
    """The name of each group, and what is said below it."""
    series: Mapping[str, Sequence[float]]
    """By model or split, a value for each of `labels`; NaN for a missing value."""
    scale: Literal["percent", "count", "log"] = "percent"
    """`log` is a logarithmic scale of counts."""

    def length(self, value: float) -> float:
        """Returns the length of a bar, in [0, 1]."""
        if self.scale == "percent":
            return 0.0 if math.isnan(value) else value / 100
        highest = max([1, *(value for values in self.series.values() for value in values)])
        if self.scale == "count":
            return value / highest
        return math.log(max(value, _NONE) / _NONE) / math.log(highest / _NONE)

    def written(self, value: float) -> str:
        """Returns the value as it stands beside its bar."""
        return "none" if math.isnan(value) else f"{value:,.{1 if self.scale == 'percent' else 0}f}"


def reliability_diagram(name: str, models: Mapping[str, Sequence[Bin]]) -> str:
    """
    Draws the share correct over the mean probability, a point for each bin; on the diagonal they are equal. Returns the
    SVG.

    # Parameters

    name : `str`
        Letters only; another name for each picture of a page.
    """
    with drawing(*_SIZE) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (2, 3)), label="equal")
        for (title, bins), look in zip(models.items(), LOOKS, strict=False):
            points = [part.mean_probability for part in bins], [part.share_correct for part in bins]
            axes.plot(
                *points,
                color=look.color,
                marker=look.marker,
                linestyle=look.line,
                markeredgecolor=INK,
                label=shown(title if len(title) <= 30 else f"{title[:29]}…"),
            )
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("mean probability of the predicted entities")
        axes.set_ylabel("share of them that is correct")
        figure.legend(loc="outside upper left", frameon=False)
        return inline_svg(figure, name, "Reliability diagram. The numbers are in the table below.")


def precision_recall_diagram(
    name: str, title: str, curves: Mapping[str, Sequence[Point]], chosen: Mapping[str, Sequence[Point]]
) -> str:
    """
    Draws precision over recall by type, and a large mark at the chosen points. Returns the SVG.

    # Parameters

    name : `str`
        As in `reliability_diagram`.
    title : `str`
        Name of the model.
    curves : `Mapping[str, Sequence[Point]]`
        From `precision_recall`, of as many types as there are `LOOKS`, at most.
    chosen : `Mapping[str, Sequence[Point]]`
    """
    with drawing(*_SIZE) as (figure, axes):
        for (label, points), look in zip(curves.items(), LOOKS, strict=False):
            recall, precision = [point.recall for point in points], [point.precision for point in points]
            axes.plot(recall, precision, color=look.color, linestyle=look.line, label=shown(label[:30]))
            for point in chosen.get(label, ()):
                axes.plot(point.recall, point.precision, color=look.color, marker=look.marker, markeredgecolor=INK)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision; marked: the threshold")
        axes.set_title(shown(title if len(title) <= 40 else f"{title[:39]}…"))
        if curves:
            figure.legend(loc="outside upper left", frameon=False, ncols=2)
        return inline_svg(figure, name, f"{title}: precision and recall by type, as the least probability rises.")
