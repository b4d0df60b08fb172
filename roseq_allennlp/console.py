"""What the commands show: progress while they work, a table when they are done."""

import functools
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Optional, TextIO, TypeVar

import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from roseq_allennlp.tables import Rows, fitting_table
from roseq_allennlp.text import shown

T = TypeVar("T")
_REFRESHED_EVERY = 0.1  # seconds
_UNLIMITED = 100_000  # columns


class Console:
    """
    Progress goes to standard error, results to standard output. On a terminal progress is a bar, gone when it is done,
    tables are ruled, and all is as wide as the terminal; elsewhere both are plain lines, as long as they are. Colours are
    left out where `NO_COLOR` is set. All is written by `shown`: what a terminal would obey in labels, words and the names of
    files is seen, and not done.

    # Parameters

    quiet : `bool`, optional (default = `False`)
        Show no progress: results, warnings and errors alone.
    plain : `bool`, optional (default = `False`)
        Write as where there is no terminal.
    """

    def __init__(self, quiet: bool = False, plain: bool = False) -> None:
        self.quiet = quiet
        self._all_plain = plain
        self.plain = plain or quiet or not _is_terminal(sys.stderr)

    @property
    def width(self) -> Optional[int]:
        """Columns that progress has, `None` where it goes to no terminal."""
        return _terminal(True).width if self._is_shown_on(sys.stderr) else None

    def progress(self, items: Sequence[T], title: str) -> Iterator[T]:
        """Goes through `items`, and shows how far it is."""
        started = time.monotonic()
        with self.bar(len(items), title) as bar:
            for item in items:
                yield item
                bar.update()
        if self.plain:
            self.report(f"{title}: done in {time.monotonic() - started:.1f} s")

    def bar(self, total: Optional[int], title: str) -> "Bar":
        """A bar to be moved by hand, a count where the total is not known; none with plain lines."""
        return Bar(total, title, is_shown=not self.plain)

    def describe_bar(self, title: str) -> None:
        """Gives the bar that is shown another title."""
        if Bar._active is not None:
            Bar._active.set_description(title)

    def report(self, line: str, style: str = "") -> None:
        """A line of progress."""
        if not self.quiet:
            self.say(line, style)

    def report_fields(self, fields: Sequence[tuple[str, str]]) -> None:
        """Lines of progress: a name before each text."""
        if self.quiet:
            return
        if not self._is_shown_on(sys.stderr):
            for name, text in fields:
                print(f"{shown(name):<12}{shown(text)}", file=sys.stderr)
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="bold")
        grid.add_column(overflow="fold")
        for name, text in fields:
            grid.add_row(Text(shown(name)), Text(shown(text)))
        _terminal(True).print(grid)

    def say(self, line: str, style: str = "", is_wrapped: bool = True) -> None:
        """A line beside the results, such as a warning."""
        self._write(line, sys.stderr, style, is_wrapped)

    def print(self, line: str, is_command: bool = False) -> None:
        """A line of the results; one to be copied, `is_command`, is not wrapped."""
        self._write(line, sys.stdout, is_wrapped=not is_command)

    def table(self, headers: Sequence[str], rows: Rows, title: str = "", width: Optional[int] = None) -> None:
        """`width`, in characters, is the largest where it does not go to a terminal; `COLUMNS` is, where that is set."""
        if title:
            self.print("")
            self.print(title)
        cells = [[shown(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        on_terminal = self._is_shown_on(sys.stdout)
        console = _terminal(False) if on_terminal else _page(width)
        result = fitting_table(list(map(shown, headers)), cells, console, on_terminal)
        if on_terminal:
            console.print(result)
        else:
            with console.capture() as lines:
                console.print(result)
            print("\n".join(line.rstrip() for line in lines.get().rstrip("\n").split("\n")))

    def _is_shown_on(self, stream: Optional[TextIO]) -> bool:
        return not self._all_plain and _is_terminal(stream)

    def _write(self, line: str, stream: TextIO, style: str = "", is_wrapped: bool = True) -> None:
        if self._is_shown_on(stream):
            _terminal(stream is sys.stderr).print(Text(shown(line), style), soft_wrap=not is_wrapped)
        else:
            print(shown(line), file=stream)


class Bar:
    """
    A line on a terminal that shows how far something is, until it is done. It has no thread, as the command may start
    processes meanwhile; one within another is not shown.
    """

    _active: "Optional[Bar]" = None

    def __init__(self, total: Optional[int], title: str, is_shown: bool = True) -> None:
        self._is_shown = is_shown
        self._total, self._title, self._done = total, title, 0
        self._drawn = 0.0  # when it was

    def __enter__(self) -> "Bar":
        self._is_shown = self._is_shown and Bar._active is None
        if self._is_shown:
            Bar._active = self
            columns = (TextColumn("{task.description}", markup=False), BarColumn(None), MofNCompleteColumn())
            self._progress = Progress(
                *columns, console=_terminal(True), auto_refresh=False, transient=True, expand=True
            )
            self._task = self._progress.add_task(shown(self._title), total=self._total)
            self._progress.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._is_shown:
            Bar._active = None
            self._progress.stop()

    def update(self, steps: int = 1) -> None:
        self._done += steps
        if self._is_shown and time.monotonic() - self._drawn >= _REFRESHED_EVERY:
            self._drawn = time.monotonic()
            self._progress.update(self._task, completed=self._done, description=shown(self._title), refresh=True)

    def set_description(self, title: str) -> None:
        self._title = title
        self.update(0)


def _page(width: Optional[int]) -> rich.console.Console:
    """What is no terminal, of at most `width` characters."""
    columns = os.environ.get("COLUMNS", "")
    limit = int(columns) if columns.isdecimal() and int(columns) else width or _UNLIMITED
    return rich.console.Console(file=io.StringIO(), width=limit, color_system=None, force_terminal=False)


def _is_terminal(stream: Optional[TextIO]) -> bool:
    return stream is not None and stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


@functools.cache
def _terminal(stderr: bool) -> rich.console.Console:
    """One for each stream, so that a line is written above the bar that is shown."""
    return rich.console.Console(stderr=stderr, markup=False, emoji=False, highlight=False, force_terminal=True)
