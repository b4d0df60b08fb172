"""How the lines of a file are divided into columns: decided once, by its first lines."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple, Optional

DOCUMENT_START = "-DOCSTART-"
_FIRST = 100  # lines that decide
_FILLERS = {DOCUMENT_START, "-X-", "O", "_", "-"}  # what the other columns of a document's start hold
LEAVE_OUT = 'Correct the line, or have such lines left out with `on_bad_line: "skip"`'
_SHOWN = 100  # characters of a line, in errors
_RUN = re.compile("[ \t]+")
_QUOTED = re.compile('".+"')
_COMMENT = re.compile(r"#[ \t]+[\w.:-]+[ \t]+=([ \t]|$)")  # `# sent_id = 1`, which may have as many columns as a token


class Problem(NamedTuple):
    """What is wrong with a line."""

    what: str
    way_out: str


class Columns(NamedTuple):
    """The columns of a file."""

    separator: Optional[str]
    """Between two columns; `None` for any run of spaces and tabs."""
    quoted: bool
    """Cells may be in quotation marks, as Python's `csv` reads them."""
    number: int
    """That of most of the first lines."""
    line: int
    """The first line with as many."""

    def split(self, line: str) -> list[str]:
        """
        The cells of a line, without spaces and tabs around them.

        # Raises

        `csv.Error`: wrong quotation marks.
        """
        cells = _split(line, self.separator, self.quoted)
        is_first_missing = self.separator is None and line[:1] in (" ", "\t") and len(cells) == self.number - 1
        return ["", *cells] if is_first_missing else cells

    def problem(self, cells: list[str], line: str, needed: int) -> Optional[Problem]:
        """What is wrong with the number of cells of a line where the columns used are among the first or last `needed`."""
        if not self.quoted and self.separator == "," and any(map(_QUOTED.fullmatch, cells)):
            return Problem(f"quotation marks around a cell in {shown_line(line)}", '`quoting: "csv"` reads them')
        if len(cells) == self.number >= needed:
            return None
        text = f"{len(cells)} columns in {shown_line(line)}"
        if self.number < needed:
            between = "spaces or tabs" if self.separator is None else repr(self.separator)
            return Problem(
                f"{text}, at least {needed} are needed between {between}", "Check `separator` and the columns"
            )
        way_out = LEAVE_OUT
        if not self.quoted and self.separator is not None and any(cell.startswith('"') for cell in cells):
            way_out += '; `quoting: "csv"` reads cells in quotation marks'
        return Problem(f"{text}, expected {self.number} as in line {self.line}", way_out)


def find_columns(
    lines: Iterable[tuple[int, str]],
    separator: Optional[str],
    quoted: bool,
    comment_prefix: Optional[str],
    needed: int,
    is_exact: bool,
) -> Columns:
    """
    The columns of a file.

    # Parameters

    lines : `Iterable[Tuple[int, str]]`
        With their numbers; only the first ones are read.
    separator : `Optional[str]`
        `None`: tabs where most lines have one, else commas in quoted cells, else any run of spaces and tabs.
    quoted : `bool`
    comment_prefix : `Optional[str]`
    needed : `int`
        How many columns there must be at least.
    is_exact : `bool`
        Whether that many are more likely than any other number.
    """
    marks = (comment_prefix or "#", "#", DOCUMENT_START)
    filled = list(islice(((number, line) for number, line in lines if line.strip()), _FIRST))
    first = [(number, line) for number, line in filled if not line.lstrip(" \t").startswith(marks)] or filled
    if separator is None:
        with_tab = ["\t" in line.rstrip(" \t") for _, line in first]
        if 2 * sum(with_tab) + (with_tab[:1] == [True]) > len(with_tab):  # of as many ones the first decides
            separator = "\t"
        elif quoted:
            separator = ","
    sizes: dict[int, int] = {}  # line → its number of columns
    for number, line in first:
        try:
            sizes[number] = len(_split(line, separator, quoted))
        except csv.Error:
            continue
    votes = Counter(sizes.values())
    # Where several have as many votes, the first.
    size = max(votes, key=lambda size: (size >= needed, votes[size], is_exact and size == needed), default=0)
    return Columns(separator, quoted, size, next((line for line, value in sizes.items() if value == size), 0))


def starts_document(cells: list[str], in_sentence: bool) -> bool:
    """
    Whether the line is that of a document's start, which may have fewer columns than others. Within a sentence a token and
    a tag, `-DOCSTART- O`, are a token.
    """
    return DOCUMENT_START in cells and _FILLERS.issuperset(cells) and not (in_sentence and len(cells) == 2)


def is_comment(line: str, columns: Columns) -> bool:
    """Whether a line that could be a token's is sure to be a comment."""
    return columns.separator is None and _COMMENT.match(line) is not None


def shown_line(line: str) -> str:
    """A line in an error."""
    return repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "…")


def _split(line: str, separator: Optional[str], quoted: bool) -> list[str]:
    if quoted:
        assert separator is not None
        # Line by line: a mark that nothing closes would take in all the lines up to the next one.
        rows = list(csv.reader([line], delimiter=separator, strict=True))
        return [cell.strip(" \t") for cell in rows[0]] if rows else [""]
    if separator is None:
        # Not `str.split()`, which also splits at the no-break space and others that tokens hold.
        return _RUN.split(line.strip(" \t"))
    return [cell.strip(" \t") for cell in line.split(separator)]
