"""The pictures of a report, as SVG for a page."""

import math
from collections.abc import Mapping, Sequence

from roseq_allennlp.evaluation.calibration import Bin
from roseq_allennlp.evaluation.plots import INK, LOOKS, drawing, inline_svg
from roseq_allennlp.text import shown, shown_lines

_WIDTH = 4.8  # inches; on a phone text keeps its size
_NONE = 0.5  # where a logarithmic scale of counts begins


def bars(
    name: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    axis: str,
    digits: int = 1,
    log: bool = False,
) -> str:
    """
    Draws horizontal bars: a group for each label, with a bar for each of `series` and its value beside it; NaN is shown
    as "none". Returns the SVG.

    # Parameters

    name : `str`
        Letters only; another name for each picture of a page.
    axis : `str`
        What the bars measure, with the unit.
    """
    from matplotlib.ticker import EngFormatter

    def written(value: float) -> str:
        return "none" if math.isnan(value) else f"{value:,.{digits}f}"

    labels = list(map(shown_lines, labels))  # XML holds no control characters
    thickness = 0.8 / max(len(series), 1)
    highest = max((value for values in series.values() for value in values if not math.isnan(value)), default=0)
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    row = max(0.16 + 0.17 * len(series), 0.06 + 0.18 * lines)
    with drawing(_WIDTH, 1.1 + len(labels) * row) as (figure, axes):
        for number, ((title, values), look) in enumerate(zip(series.items(), LOOKS, strict=False)):
            positions = [index + (number - (len(series) - 1) / 2) * thickness for index in range(len(labels))]
            lengths = [max(_NONE if log else 0, value) for value in values]  # a logarithmic scale has no 0
            drawn = axes.barh(
                positions,
                lengths,
                thickness,
                color=look.color,
                hatch=look.hatch,
                edgecolor=INK,
                linewidth=0.6,
                label=shown(title),
            )
            axes.bar_label(drawn, list(map(written, values)), padding=3, fontsize=8)
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.set_xlabel(axis)
        if log:
            axes.set_xlim(_NONE, max(highest, 1) * 8)  # room for the number beside the longest
            axes.set_xscale("log", subs=[])
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 10k, 100k, 1M
        else:
            axes.set_xlim(0, max(highest, 1) * 1.16)
        if len(series) > 1:
            figure.legend(loc="outside upper center", ncols=len(series), frameon=False)
        in_a_line = ", ".join(labels).replace("\n", " ")
        described = f"{axis} of {in_a_line}: {' and '.join(series)}. The numbers are in the table below."
        return inline_svg(figure, name, described)


def reliability_diagram(name: str, models: Mapping[str, Sequence[Bin]]) -> str:
    """Draws the share correct over the mean probability, a point for each bin; on the diagonal they are equal."""
    with drawing(_WIDTH, 4.2) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (2, 3)), label="equal")
        for (title, bins), look in zip(models.items(), LOOKS, strict=False):
            points = [part.mean_probability for part in bins], [part.share_correct for part in bins]
            axes.plot(
                *points,
                color=look.color,
                marker=look.marker,
                linestyle=look.line,
                markeredgecolor=INK,
                label=shown(title),
            )
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("mean probability of the predicted entities")
        axes.set_ylabel("share of them that is correct")
        figure.legend(loc="outside upper center", ncols=len(models) + 1, frameon=False)
        return inline_svg(figure, name, "Reliability diagram. The numbers are in the table below.")
