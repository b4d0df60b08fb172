"""How pictures look: readable without colour, on light and on dark pages."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.text import shown

if TYPE_CHECKING:  # matplotlib takes half a second to import, which training would pay too
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")
INK = "#0a0b0c"
"""Text and lines. In a page it is replaced by the colour of the page's own text."""

_STYLE: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.facecolor", "legend.facecolor", "legend.edgecolor"), "none"),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **{"font.size": 10, "hatch.color": INK, "hatch.linewidth": 0.6, "axes.grid.axis": "y", "grid.alpha": 0.3},
    **{"text.parse_math": False},  # names of labels and models are shown as they are
    **{"svg.fonttype": "none", "svg.hashsalt": "roseq"},  # text stays text; the same picture is the same file
}


class Look(NamedTuple):
    """How one of several series is drawn: by colour (Okabe and Ito's, for all kinds of sight), hatch, marker and line."""

    color: str
    hatch: str
    marker: str
    line: str


LOOKS = (
    Look("#56b4e9", "", "o", "-"),
    Look("#e69f00", "///", "s", "--"),
    Look("#009e73", "...", "^", "-."),
    Look("#cc79a7", "xx", "D", ":"),
    Look("#0072b2", "\\\\\\", "v", "-"),
    Look("#d55e00", "++", "P", "--"),
)


@contextmanager
def drawing(width: float = 6.4, height: float = 3.6) -> "Iterator[tuple[Figure, Axes]]":
    """Yields a figure of this size in inches, with one set of axes; draw on it and save it within the `with` block."""
    with several(1, 1, width, height) as (figure, axes):
        yield figure, axes[0]


@contextmanager
def several(count: int, columns: int, width: float, height: float) -> "Iterator[tuple[Figure, list[Axes]]]":
    """Yields a figure with `count` sets of axes side by side in rows, each of this size in inches, as `drawing` does."""
    import matplotlib
    from matplotlib.figure import Figure

    rows = max(1, -(-count // columns))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for unused in axes[count:]:
            unused.remove()
        yield figure, axes[:count]


def check_format(path: Union[str, Path]) -> None:
    """
    Checks before the work begins that a picture can be written in the format of its suffix.

    # Raises

    `ConfigurationError`: the suffix is not in `FORMATS`.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigurationError(
            f"{path}: pictures are written as {', '.join(FORMATS)}; end the name with one of them."
        )


def save(figure: "Figure", path: Union[str, Path]) -> None:
    """Saves a figure on white, in the format of the file's suffix, and makes its directories."""
    check_format(path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # A date would make equal pictures unequal files.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(Path(path).suffix.lower())
    figure.savefig(path, facecolor="white", dpi=150, metadata=metadata)


def inline_svg(figure: "Figure", name: str, description: str) -> str:
    """
    Returns a figure as SVG for a page: without a background, in the page's own font and text colour.

    # Parameters

    figure : `Figure`
    name : `str`
        Letters only; keeps the ids of several pictures in one page apart.
    description : `str`
        What a screen reader says.
    """
    from html import escape

    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(shown(description))}" ', 1)
