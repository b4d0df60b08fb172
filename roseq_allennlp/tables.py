"""Tables as text: for people, as wide as they can see, and in Markdown."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

Rows = Sequence[Sequence[Any]]


def table(headers: Sequence[str], rows: Rows, ruled: bool = False) -> Table:
    """
    `rows` of words and numbers, to be printed by a console of rich, which wraps words to its width; a `float` is shown with
    two digits after the point, as scores are. Columns of numbers stand right. `ruled` has a line below the headers.
    """
    cells = _cells(rows)
    result = Table(
        box=box.SIMPLE_HEAD if ruled else None, show_edge=False, pad_edge=False, padding=(0, 1 if ruled else 2, 0, 0)
    )
    for header, is_number in zip(headers, _numbers(headers, cells), strict=True):
        result.add_column(Text(header), justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
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
