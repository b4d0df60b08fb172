"""Files of a token per line: how they are laid out, and their sentences."""

import contextlib
import csv
import functools
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.columns import (
    LEAVE_OUT,
    Columns,
    Problem,
    find_columns,
    is_comment,
    shown_line,
    starts_document,
)
from roseq_allennlp.data.tag_schemes import (
    SOURCE_SCHEMES,
    UNKNOWN,
    convert,
    detect_scheme,
    invalid_positions,
    split_tag,
)
from roseq_allennlp.data.tag_spelling import INVISIBLE, shown_tag, spelling_of, visible
from roseq_allennlp.data.text_files import Places, decoded_lines, find_encoding, known_encoding, lines, local_path
from roseq_allennlp.errors import ConfigurationError

logger = logging.getLogger(__name__)

LAYOUTS: dict[str, dict[str, Any]] = {
    "conll2002": {"tag_column": 2, "tag_scheme": "IOB2"},
    "conll2003_ner": {"tag_column": 3},
    "wnut": {"separator": "\t", "tag_column": 1, "tag_scheme": "IOB2"},
}
"""What the readers of that name set."""

_LONG = 50  # tokens; a file of one longer sentence without any empty line has probably lost its sentences
_MISSING = "-"  # spaCy's unknown tag


class _Source(NamedTuple):
    path: str
    encoding: str
    columns: Columns
    names: dict[str, str]  # the file's spelling of a tag → the tag


class _Sentence(NamedTuple):
    words: list[str]
    tags: list[str]
    lines: list[int]  # where in the file each token is, from 1


class ColumnFile:
    """
    A tag `?` is unknown, and so is spaCy's `-` in a file that has the tag `O` too; in one without, `-` may be its O, and is an
    error that `tag_map` settles. What stands in other columns is no tag.

    How files are read whose parameters `ColumnReader` describes. Imports no AllenNLP.

    # Raises

    `ConfigurationError`: a parameter that breaks its rule, when it is built; a bad file, when it is read.
    """

    def __init__(
        self,
        separator: Optional[str] = None,
        token_column: int = 0,
        tag_column: int = -1,
        tag_scheme: Optional[str] = None,
        encoding: Optional[str] = None,
        on_invalid_tags: str = "repair",
        on_bad_line: str = "error",
        comment_prefix: Optional[str] = None,
        sentence_column: Optional[int] = None,
        quoting: Optional[str] = None,
        tag_map: Optional[dict[str, str]] = None,
    ) -> None:
        if separator is not None and (not separator or {*separator} & {"\n", "\r"}):
            raise ConfigurationError(
                f"`separator` must be text within a line, got {separator!r}. Leave it out for tabs, or spaces and tabs."
            )
        if (
            quoting not in (None, "csv")
            or quoting
            and separator is not None
            and (len(separator) > 1 or separator == '"')
        ):
            raise ConfigurationError(
                f'`quoting` must be "csv", with a `separator` of one character, got {quoting!r} with {separator!r}. Leave it out'
                " for cells without quotation marks."
            )
        columns = [column for column in (token_column, tag_column, sentence_column) if column is not None]
        if len(set(columns)) < len(columns):
            raise ConfigurationError(
                f"`token_column`, `tag_column` and `sentence_column` must differ, got {', '.join(map(str, columns))}."
            )
        if comment_prefix is not None and not comment_prefix.strip():
            raise ConfigurationError(
                f'`comment_prefix` must be text, such as "# ", got {comment_prefix!r}. Leave it out for files without comments.'
            )
        if tag_scheme is not None and tag_scheme not in SOURCE_SCHEMES:
            raise ConfigurationError(
                f"`tag_scheme` must be one of {', '.join(SOURCE_SCHEMES)}, got {tag_scheme!r}. Leave it out to have it"
                " detected."
            )
        if on_invalid_tags not in ("repair", "error"):
            raise ConfigurationError(f'`on_invalid_tags` must be "repair" or "error", got {on_invalid_tags!r}.')
        if on_bad_line not in ("skip", "error"):
            raise ConfigurationError(f'`on_bad_line` must be "error" or "skip", got {on_bad_line!r}.')
        for tag in {*(tag_map or {}).values()} - {UNKNOWN}:
            try:
                split_tag(tag, tag_scheme)
            except ValueError as error:
                raise ConfigurationError(f"`tag_map`: {error}.") from error
        self.separator = separator
        self.token_column = token_column
        self.tag_column = tag_column
        self._sentence_column = sentence_column
        self._needed = _needed(columns)
        self._tag_scheme = tag_scheme
        self._encoding = None if encoding is None else known_encoding(encoding)
        self._on_invalid_tags = on_invalid_tags
        self._on_bad_line = on_bad_line
        self.comment_prefix = comment_prefix
        self.quoted = quoting == "csv"
        self._tag_map = dict(tag_map or {})

    def read_numbered(self, file_path: str) -> Iterator[tuple[int, list[str], list[str]]]:
        """The number of the line in which each sentence of a file begins, its words, and its valid BIOUL tags; as a stream."""
        path = local_path(file_path)
        encoding = self._encoding or find_encoding(path)
        is_exact = min(self.token_column, self.tag_column) >= 0
        columns = find_columns(
            lines(path, encoding), self.separator, self.quoted, self.comment_prefix, self._needed, is_exact
        )
        scheme = self._tag_scheme
        source = _Source(path, encoding, columns, dict(self._tag_map))
        if scheme is None:
            parsed = self._parse(source, None, _Remarks())
            scheme = detect_scheme(sentence.tags for sentence in parsed)
            logger.info("%s: tags are read as %s", path, scheme)
        remarks = _Remarks()
        sentences = 0
        sentence = _Sentence([], [], [])
        try:
            for sentence in self._parse(source, scheme, remarks):
                sentences += 1
                for position in invalid_positions(sentence.tags, scheme):
                    tag = f"line {sentence.lines[position]}: {sentence.tags[position]}"
                    if self._on_invalid_tags == "error":
                        raise ConfigurationError(
                            f"{path}, {tag} is not valid {scheme} there. Correct it, or have it read as conlleval does"
                            ' with `on_invalid_tags: "repair"`.'
                        )
                    remarks.invalid.add(tag)
                yield sentence.lines[0], sentence.words, convert(sentence.tags, scheme, "BIOUL")
        finally:  # also where the reading stops early, at `max_instances`
            remarks.invalid.warn(path, f"invalid {scheme} tags repaired")
            remarks.skipped.warn(path, "bad lines left out")
            remarks.invisible.warn(path, INVISIBLE)
        if not sentences:
            raise ConfigurationError(f"{path}: the file holds no sentence. Expected a token per line, in columns.")
        if not remarks.ends and sentences == 1 and len(sentence.words) > _LONG:
            logger.warning(
                "%s: has no empty line, so it is read as one sentence of %d tokens. Where a column has the number of each"
                " sentence, `sentence_column` reads them",
                path,
                len(sentence.words),
            )

    def _parse(self, source: "_Source", scheme: Optional[str], remarks: "_Remarks") -> Iterator[_Sentence]:
        path, encoding, columns, _ = source
        sentence = _Sentence([], [], [])
        current = ""  # what the sentence column holds
        for number, line in decoded_lines(path, encoding):
            if not sentence.words and self.comment_prefix and line.startswith(self.comment_prefix):
                continue
            try:
                cells = columns.split(line)
                is_end = not line.strip() or not any(cells) or starts_document(cells, bool(sentence.words))
                problem = None if is_end else self._problem(cells, line, source, scheme, not sentence.words)
            except csv.Error as error:
                is_end, problem = False, Problem(f"{shown_line(line)} is not quoted as csv is ({error})", LEAVE_OUT)
            if problem is not None:
                if self._on_bad_line == "error":
                    raise ConfigurationError(f"{path}, line {number}: {problem.what}. {problem.way_out}.")
                remarks.skipped.add(f"line {number}: {problem.what}")
                continue
            remarks.ends = remarks.ends or is_end
            if not is_end and self._sentence_column is not None:
                is_new = cells[self._sentence_column] not in ("", current)
                current = cells[self._sentence_column] or current
            else:
                is_new = is_end
            if is_new and sentence.words:
                yield sentence
                sentence = _Sentence([], [], [])
            if not is_end:
                tag = visible(cells[self.tag_column])
                if tag != cells[self.tag_column]:
                    remarks.invisible.add(f"line {number}: {shown_tag(cells[self.tag_column])}")
                sentence.words.append(cells[self.token_column])
                sentence.tags.append(source.names.get(tag, tag))
                sentence.lines.append(number)
        if sentence.words:
            yield sentence

    def _problem(
        self, cells: list[str], line: str, source: "_Source", scheme: Optional[str], is_first: bool
    ) -> Optional[Problem]:
        """What is wrong with the line of a token."""
        problem = source.columns.problem(cells, line, self._needed)
        if problem is None and not cells[self.token_column]:
            problem = Problem(f"the token in {shown_line(line)} is empty", LEAVE_OUT)
        if problem is None and is_first and is_comment(line, source.columns):
            problem = Problem(f"{shown_line(line)} is a comment", "Have comments left out")
        if problem is None:
            tag = visible(cells[self.tag_column])
            if tag == _MISSING and tag not in source.names:
                source.names[tag] = UNKNOWN if self._has_outside(source) else tag
            problem = _tag_problem(source.names.get(tag, tag), scheme)
        if problem is not None and is_first and line.startswith("#") and self.comment_prefix is None:
            way_out = f'{problem.way_out}. If the line is a comment, `comment_prefix: "#"` leaves it out'
            problem = problem._replace(way_out=way_out)
        return problem

    def _has_outside(self, source: "_Source") -> bool:
        """Whether any token of the file is tagged as O."""
        for _, line in decoded_lines(source.path, source.encoding):
            if self.comment_prefix and line.startswith(self.comment_prefix):
                continue
            with contextlib.suppress(csv.Error):
                cells = source.columns.split(line)
                if len(cells) == source.columns.number and not starts_document(cells, False):
                    tag = visible(cells[self.tag_column])
                    if source.names.get(tag, tag) == "O":
                        return True
        return False


class _Remarks:
    """What one reading of a file tells of at its end."""

    def __init__(self) -> None:
        self.invalid = Places()
        self.skipped = Places()
        self.invisible = Places()
        self.ends = False  # whether any line ends a sentence


@functools.lru_cache(maxsize=4096)
def _tag_problem(tag: str, scheme: Optional[str]) -> Optional[Problem]:
    if tag == UNKNOWN:
        return None
    if not tag:
        return Problem("the tag is empty", f"{LEAVE_OUT}, or check `tag_column`")
    try:
        split_tag(tag, scheme)
    except ValueError as error:
        spelling = spelling_of(tag)
        return Problem(str(error), f"{f'{spelling}. ' if spelling else ''}Check `tag_column` and `tag_scheme`")
    return None


def _needed(columns: list[int]) -> int:
    """How many columns there must be for these, from the front or the end, to be different ones."""
    first, last = min(columns), max(columns)
    return last - first + 1 if first < 0 <= last else max(last + 1, -first)
