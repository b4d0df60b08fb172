"""Which columns of a file hold the tokens and the tags: the parameters of the reader `columns` for files of people's own."""

import csv
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.columns import Columns, find_columns, starts_document
from roseq_allennlp.data.tag_schemes import detect_scheme, split_tag
from roseq_allennlp.data.tag_spelling import meaning_of, visible
from roseq_allennlp.data.text_files import decoded_lines, find_encoding
from roseq_allennlp.errors import ConfigurationError

_FIRST = 1000  # lines with text that decide
_MOST = 0.9  # of the cells of a column of tags; the others are errors, which the reader names
_SEPARATORS = (None, ",", ";", "|")
_NAMED = re.compile(r"#[ \t]+[\w.:-]+[ \t]+=([ \t]|$)")  # `# sent_id = O`, which may have as many columns as a token
_TITLE = re.compile(r"(\w+[ _-])?(tags?|labels?|ner|entity|entities|iob2?|bio|class|category)", re.IGNORECASE)
_CHUNKS = {"NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"}  # CoNLL-2000's and 2003's


class Layout(NamedTuple):
    """
    # Parameters

    options : `Dict[str, Any]`
        Parameters of `ColumnReader`: those that must differ from its defaults.
    scheme : `str`
        The tag scheme of the first file.
    """

    options: dict[str, Any]
    scheme: str


class _Rows(NamedTuple):
    """The first lines of a file with as many cells as most of them have. Lines that begin with `#`, which may be comments, are
    left out where there are others."""

    columns: Columns
    cells: list[list[str]]
    starts: list[bool]  # whether each begins a sentence
    title: Optional[str]  # a first line that names the columns

    def column(self, index: int) -> list[str]:
        return [cells[index] for cells in self.cells]


def find_layout(paths: Sequence[str]) -> Layout:
    """
    The layout of files that have the same one; the first of them decides, and all of them tell the spellings of tags.

    # Raises

    `ConfigurationError`: no column of the first file holds tags.
    """
    lines = _first_lines(paths[0])
    if not lines:
        raise ConfigurationError(f"{paths[0]}: the file is empty.")
    for separator in _SEPARATORS:
        rows = _rows(lines, separator)
        tag_column = _tag_column(rows)
        if tag_column is not None:
            break
    else:
        raise ConfigurationError(
            f"{paths[0]}: none of its columns holds entity tags, such as O, B-PER and I-PER. Give a file with a token and its"
            " tag on each line, or an export of an annotation tool."
        )
    prefix = _comment_prefix(lines, rows, tag_column)
    token_column, sentence_column = _token_column(rows, tag_column)
    options: dict[str, Any] = {}
    if separator is not None and (separator, rows.columns.quoted) != (",", True):
        options |= {"separator": separator}
    if rows.columns.quoted:
        options |= {"quoting": "csv"}
    if token_column:
        options |= {"token_column": token_column}
    if tag_column != rows.columns.number - 1:
        options |= {"tag_column": tag_column}
    if sentence_column is not None:
        options |= {"sentence_column": sentence_column}
    if prefix:
        options |= {"comment_prefix": prefix}
    tag_map = {}
    if not _is_proper(rows.column(tag_column)):  # each file may hold a tag that the others lack
        tags = {tag for path in paths for sentence in _tags(path, rows.columns, tag_column, prefix) for tag in sentence}
        tag_map = {tag: meaning for tag in sorted(tags) if not _is_tag(tag) and (meaning := meaning_of(tag))}
        options |= {"tag_map": tag_map}
    sentences = _tags(paths[0], rows.columns, tag_column, prefix)
    mapped = ([tag_map.get(tag, tag) for tag in sentence] for sentence in sentences)
    return Layout(options, detect_scheme([tag for tag in sentence if _is_tag(tag)] for sentence in mapped))


def _first_lines(path: str) -> list[tuple[int, str, bool]]:
    """Lines with text, with their numbers and whether the line before has none."""
    result: list[tuple[int, str, bool]] = []
    is_start = True
    for number, line in decoded_lines(path, find_encoding(path)):
        if line.strip():
            result.append((number, line, is_start))
        is_start = not line.strip()
        if len(result) == _FIRST:
            break
    return result


def _rows(lines: list[tuple[int, str, bool]], separator: Optional[str]) -> _Rows:
    quoted = separator is not None and any('"' in line for _, line, _ in lines)
    columns = find_columns(((number, line) for number, line, _ in lines), separator, quoted, None, 2, False)
    rows = [(cells, is_start) for _, line, is_start in _unmarked(lines) if (cells := _cells(line, columns))]
    first = _cells(lines[0][1], columns)
    title = None
    if any(map(_TITLE.fullmatch, first[1:])) and not any(map(_is_tag, first)):
        title = lines[0][1]
        rows = rows[1:]
    return _Rows(columns, [cells for cells, _ in rows], [is_start for _, is_start in rows], title)


def _unmarked(lines: list[tuple[int, str, bool]]) -> list[tuple[int, str, bool]]:
    return [item for item in lines if not item[1].startswith("#")] or lines


def _cells(line: str, columns: Columns) -> list[str]:
    """Those of a token's line; none of another."""
    try:
        cells = columns.split(line)
    except csv.Error:
        return []
    return cells if len(cells) == columns.number > 1 and not starts_document(cells, False) else []


def _tag_column(rows: _Rows) -> Optional[int]:
    """The column of tags with most entities, the last of several. Without such a column, the last one of tags in another spelling."""
    entities = {}
    for index in range(rows.columns.number if rows.cells else 0):
        cells = [visible(cell) for cell in rows.column(index)]
        if _is_proper(cells) and not _are_chunks(cells):
            entities[index] = sum(cell != "O" for cell in cells)
    if entities:
        return max(entities, key=lambda index: (entities[index], index))
    return next(
        (index for index in range(rows.columns.number - 1, 0, -1) if rows.cells and _is_spelled(rows.column(index))),
        None,
    )


def _is_proper(cells: list[str]) -> bool:
    """Nearly all cells are tags, and so are most of those that are no O, which may be few."""
    others = [cell for cell in cells if visible(cell) != "O"]
    return sum(map(_is_tag, cells)) >= _MOST * len(cells) and 2 * sum(map(_is_tag, others)) >= len(others)


def _is_spelled(cells: list[str]) -> bool:
    """A type alone may be any word, so there must be an O then."""
    meanings = [_meaning(cell) for cell in cells]
    known = [meaning for meaning in meanings if meaning is not None]
    is_sure = "O" in known or all(
        meaning.partition("-")[2] != cell for meaning, cell in zip(known, cells, strict=False)
    )
    is_some = any(meaning != "O" for meaning in known) and not _are_chunks(known)
    return len(known) >= _MOST * len(cells) and is_sure and is_some


def _are_chunks(cells: list[str]) -> bool:
    labels = {cell.partition("-")[2] for cell in cells} - {""}
    return bool(labels) and labels <= _CHUNKS


def _is_tag(cell: str) -> bool:
    try:
        split_tag(visible(cell))
    except ValueError:
        return False
    return True


def _meaning(cell: str) -> Optional[str]:
    return visible(cell) if _is_tag(cell) else meaning_of(visible(cell))


def _token_column(rows: _Rows, tag_column: int) -> tuple[int, Optional[int]]:
    """The column of the tokens, and that which tells sentences apart where no empty line does."""
    others = [index for index in range(rows.columns.number) if index != tag_column]
    if len(others) > 1 and sum(rows.starts) <= 1:
        for index in others:
            if _tells_sentences(rows.column(index)):
                return next(other for other in others if other != index), index
    first = others[0]
    # The number of a token in its sentence, as CoNLL-U and GermEval have it.
    is_numbered = all(re.fullmatch(r"\d+([-.]\d+)?", cell) for cell in rows.column(first))
    return (others[1] if is_numbered and len(others) > 1 else first), None


def _tells_sentences(cells: list[str]) -> bool:
    """`Sentence: 1` and empty cells below it, or the same cell for each token of a sentence."""
    if not cells[0]:
        return False
    runs = Counter(cell for cell, _ in itertools.groupby(cells) if cell)
    is_numbered = max(runs.values()) == 1 and all(re.search(r"\d", cell) for cell in runs)
    return is_numbered and ("" in cells or len(runs) < len(cells) / 2)


def _comment_prefix(lines: list[tuple[int, str, bool]], rows: _Rows, tag_column: int) -> Optional[str]:
    """What begins comments. A first line that names the columns is one too."""
    is_tag = _is_tag if _is_proper(rows.column(tag_column)) else _meaning

    def is_token(line: str) -> bool:
        cells = _cells(line, rows.columns)
        return bool(cells and is_tag(cells[tag_column]))

    marked = [line for _, line, _ in lines if line.startswith("#")]
    tokens = tuple(line for line in marked if is_token(line) and not _NAMED.match(line))
    comments = [line for line in marked if line not in tokens]
    if comments:
        # Hashtags are tokens.
        common = os.path.commonprefix(comments)
        prefixes = (prefix for prefix in ("# ", "#\t", "#", common) if common.startswith(prefix))
        return next((prefix for prefix in prefixes if not any(line.startswith(prefix) for line in tokens)), None)
    return rows.title


def _tags(path: str, columns: Columns, tag_column: int, prefix: Optional[str]) -> Iterator[list[str]]:
    """The cells of the column of tags, of each sentence."""
    sentence: list[str] = []
    for _, line in decoded_lines(path, find_encoding(path)):
        if prefix and not sentence and line.startswith(prefix):
            continue
        try:
            cells = columns.split(line) if line.strip() else []
        except csv.Error:
            continue
        if len(cells) == columns.number and not starts_document(cells, bool(sentence)):
            sentence.append(visible(cells[tag_column]))
        elif sentence and not line.strip():
            yield sentence
            sentence = []
    if sentence:
        yield sentence
