"""Tables: as text for people, as wide as they can see; in Markdown; in HTML."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_LONGEST_NAME = 20  # characters
_LONGEST_HEADER = 12  # characters of a word
_UNLIMITED = 100_000  # columns
Rows = Sequence[Sequence[Any]]


def fitting_table(headers: Sequence[str], rows: Rows, console: Console, ruled: bool = False) -> Table:
    """
    A table of words and numbers that is as wide as `console` at most: with the words of a header below each other, its
    columns closer, and long text wrapped, where it has to be; with each cell on a line of its own, where words or numbers
    would have to be broken. A `float` is shown with two digits after the point, as scores are. Columns of numbers stand
    right. `ruled` has a line below the headers.
    """
    cells = _cells(rows)
    stacked = [
        "\n".join(part for word in header.split() for part in wrap(word, _LONGEST_HEADER) or [""]) for header in headers
    ]
    tables = [_table(names, cells, ruled, gap) for names, gap in ((headers, 2), (stacked, 2), (stacked, 1))]
    widths = [Measurement.get(console, console.options.update(max_width=_UNLIMITED), result) for result in tables]
    for result, (_, width) in zip(tables, widths, strict=True):
        if width <= console.width:
            return result
    for result, (width, _) in zip(tables, widths, strict=True):
        if width <= console.width:
            return result
    records = _table(["", ""], [], False, 2)
    records.show_header = False
    for number, row in enumerate(cells):
        if number:
            records.add_row()
        for header, cell in zip(headers, row, strict=True):
            records.add_row(Text(header), Text(cell))
    return records


def _table(headers: Sequence[str], cells: Sequence[Sequence[str]], ruled: bool, gap: int) -> Table:
    line = box.SIMPLE_HEAD if ruled else None
    result = Table(box=line, padding=(0, gap - int(ruled), 0, 0), show_edge=False, pad_edge=False)
    for index, (header, is_number) in enumerate(zip(headers, _numbers(headers, cells), strict=True)):
        # What rows begin with is wrapped last.
        is_name = index == 0 and max((len(row[0]) for row in cells), default=0) <= _LONGEST_NAME
        result.add_column(
            Text(header), justify="right" if is_number else "left", no_wrap=is_name, overflow="fold", vertical="top"
        )
    for row in cells:
        result.add_row(*map(Text, row))
    return result


def markdown(headers: Sequence[str], rows: Rows) -> str:
    """A table of GitHub's Markdown, of cells as in `table`."""
    cells = _cells(rows)
    widths = [max(len(header) + 2, *(len(row[column]) for row in cells), 0) for column, header in enumerate(headers)]
    numbers = _numbers(headers, cells)
    lines = [
        " | ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numbers, strict=True)
        )
        for row in [headers, *cells]
    ]
    return "\n".join(
        [f"| {lines[0]} |", f"|{'|'.join('-' * (width + 2) for width in widths)}|"]
        + [f"| {line} |" for line in lines[1:]]
    )


def html_table(headers: Sequence[str], rows: Rows) -> str:
    """A table of HTML, of cells as in `fitting_table`; what a notebook shows."""
    cells = _cells(rows)
    sides = [f' style="text-align: {"right" if number else "left"}"' for number in _numbers(headers, cells)]
    lines = [
        "".join(f"<{kind}{side}>{escape(cell)}</{kind}>" for cell, side in zip(row, sides, strict=True))
        for kind, row in [("th", headers), *(("td", row) for row in cells)]
    ]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _cells(rows: Rows) -> list[list[str]]:
    return [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]


def _numbers(headers: Sequence[str], cells: Sequence[Sequence[str]]) -> list[bool]:
    """Whether each column has numbers alone."""
    if not cells:
        return [False] * len(headers)
    return [all(map(_is_number, filter(None, column))) for column in zip(*cells, strict=True)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
