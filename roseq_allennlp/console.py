"""What the commands show: progress while they work, a table when they are done."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Optional, TypeVar

from tqdm import tqdm

from roseq_allennlp.tables import table
from roseq_allennlp.text import shown

T = TypeVar("T")


class Console:
    """
    Progress goes to standard error, results to standard output. On a terminal progress is a bar and tables are ruled;
    with `quiet`, or where standard error is no terminal, both are plain lines. All is written by `shown`: what a terminal
    would obey in labels, words and the names of files is seen, and not done.

    # Parameters

    quiet : `bool`, optional (default = `False`)
    """

    def __init__(self, quiet: bool = False) -> None:
        self.plain = quiet or not sys.stderr.isatty()

    def progress(self, items: Sequence[T], title: str) -> Iterator[T]:
        """Goes through `items`, and shows how far it is."""
        if self.plain:
            started = time.monotonic()
            yield from items
            self.say(f"{title}: done in {time.monotonic() - started:.1f} s")
        else:
            yield from tqdm(items, desc=shown(title), file=sys.stderr, dynamic_ncols=True)

    def bar(self, total: Optional[int], title: str) -> "tqdm[Any]":
        """A bar to be moved by hand, a count where the total is not known; none with plain lines."""
        return tqdm(total=total, desc=shown(title), file=sys.stderr, dynamic_ncols=True, disable=self.plain)

    def say(self, line: str) -> None:
        """A line beside the results."""
        tqdm.write(shown(line), file=sys.stderr)

    def print(self, line: str) -> None:
        """A line of the results."""
        print(shown(line))

    def table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[Any]],
        title: str = "",
        widths: Optional[Sequence[Optional[int]]] = None,
    ) -> None:
        """`widths` are those beyond which the text of a column is wrapped, in characters; `None` for no limit."""
        if title:
            print(f"\n{shown(title)}")
        cells = [[shown(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        print(table(list(map(shown, headers)), cells, "plain" if self.plain else "simple_outline", widths))
