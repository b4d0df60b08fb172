"""Tables as text."""

from collections.abc import Sequence
from typing import Any, Optional

from tabulate import tabulate


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    layout: str = "plain",
    widths: Optional[Sequence[Optional[int]]] = None,
) -> str:
    """`rows` of words and numbers; a `float` is shown with two digits after the point, as scores are."""
    cells = [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    alignment = [
        "right" if all(map(_is_number, filter(None, column))) else "left" for column in zip(*cells, strict=True)
    ]
    return tabulate(
        cells, headers, tablefmt=layout, colalign=alignment or None, maxcolwidths=widths, disable_numparse=True
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
