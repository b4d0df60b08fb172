"""Files that are tagged: what they hold, and their rows."""

import contextlib
import csv
import gzip
import io
import itertools
import os
import re
import stat
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import Instance
from allennlp.data.fields import SequenceLabelField

from roseq_allennlp.data import corpora
from roseq_allennlp.data.columns import DOCUMENT_START, find_columns, shown_line, starts_document
from roseq_allennlp.data.dataset_readers import ColumnReader
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.tag_schemes import UNKNOWN, bioul_to_bioes
from roseq_allennlp.data.text_files import marked_encoding, unpacked
from roseq_allennlp.predictors.batching import windows
from roseq_allennlp.predictors.ner_tagger import NerTagger
from roseq_allennlp.predictors.rows import MAX_LINE, from_json, kept, read_line, repaired, too_long
from roseq_allennlp.predictors.sentences import Unreadable, words_of

STANDARD_INPUT = "-"

_EXTENSIONS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes"), "columns"),
}
_HEAD = 2**16  # bytes by which a file is recognised
_JSON_OBJECT = re.compile(r'\ufeff?\s*\{\s*["}]')
_TAG = re.compile(r"O|[BIESLUM]-\S+|\?")
_FIRST_LINES = 200  # by which columns are found
_MOSTLY = 0.9  # of the first lines; some may be broken
_WINDOW = 2048  # rows read at a time, or fewer where they are long
_WINDOW_SIZE = 2**20  # characters


class Layout(NamedTuple):
    """Where columns have what, as `ColumnReader` describes it; a file may have fewer columns, or another separator."""

    token_column: int = 0
    tag_column: int = -1
    separator: Optional[str] = None
    quoted: bool = False
    comment_prefix: Optional[str] = None


def layout_of(tagger: NerTagger) -> Layout:
    """Where the tagger's reader has what, if it reads columns."""
    if not isinstance(reader := tagger._dataset_reader, ColumnReader):
        return Layout()
    file = reader.file
    return Layout(file.token_column, file.tag_column, file.separator, file.quoted, file.comment_prefix)


class Row(NamedTuple):
    """
    # Parameters

    where : `str`
        File and line, for messages.
    kept : `Dict[str, Any]`
        What of it the output has beside the answer.
    item : `Any`
        What the tagger gets.
    size : `int`
        Characters.
    """

    where: str
    kept: dict[str, Any]
    item: Any
    size: int


def local_path(name: str) -> str:
    """
    A readable file: of the catalogue, of an address, or as it is named.

    # Raises

    `ConfigurationError`: there is no such file.
    """
    if name == STANDARD_INPUT:
        return name
    try:
        path = str(cached_path(corpora.resolve(name)))
        if not stat.S_ISFIFO(os.stat(path).st_mode):  # which can be opened once
            open(path, "rb").close()
    except OSError as error:
        reason = error.strerror or "No such file or directory"
        raise ConfigurationError(f"{name}: {reason}. Give files, or - for standard input.") from error
    return path


def rows(path: str, name: str, kind: Optional[str], layout: Layout, notes: Tally) -> Iterator[Row]:
    """
    The rows of a file, as a stream. A row that cannot be read is one whose answer is an error.

    # Parameters

    path : `str`
        From `local_path`.
    name : `str`
        As the user calls it.
    kind : `str`, optional
        One of `format_names.INPUT_FORMATS`, see `kind_of`. By default the file's extension and first lines decide.
    layout : `Layout`
        Of columns.
    notes : `Tally`
        Counts lines that were repaired.

    # Raises

    `ConfigurationError`: compression other than gzip; damaged gzip data, after the rows before them.
    """
    shown = "standard input" if name == STANDARD_INPUT else name
    number = 0
    try:
        with contextlib.ExitStack() as stack:
            file: Any = open(
                0 if path == STANDARD_INPUT else path, "rb", buffering=_HEAD, closefd=path != STANDARD_INPUT
            )
            stream, begins = unpacked(stack.enter_context(file), shown)
            head = stream.peek(_HEAD)
            encoding = marked_encoding(begins) or "utf-8"
            if kind is None:
                kind, guessed = kind_of(name, head.decode(encoding, "replace"))
                if guessed:
                    notes.add("file read as columns by its first lines (--input-format text for sentences)", shown)
            errors = "surrogateescape" if encoding == "utf-8" else "replace"
            # The offsets of a document are of its text as it is, with its line ends.
            text = io.TextIOWrapper(stream, encoding, errors, newline="" if kind == "documents" else None)
            stack.callback(text.detach)
            if kind == "documents":
                yield _document(text, name, shown, notes)
                return
            lines = _lines(text, shown, notes)
            for row in (
                _column_rows(lines, shown, layout) if kind == "columns" else _line_rows(lines, kind, name, shown)
            ):
                number += 1
                yield row
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConfigurationError(
            f"{shown}: its gzip is damaged after row {number}. Fetch or pack the file again."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{shown}: cannot be read after row {number}: {error.strerror or error}.") from error


def kind_of(name: str, head: str) -> tuple[str, bool]:
    """
    The kind of a file by its extension (`.gz` left out), or else by its first lines: JSON lines begin with an object;
    columns have in nearly each line the same number of columns, a tag in the last one, or one word in each line and
    empty lines between blocks of them; all else is text, a sentence a line.

    # Returns

    `Tuple[str, bool]`
        The kind, and whether it is one that a person may see otherwise.
    """
    if (by_name := _EXTENSIONS.get(Path(name.removesuffix(".gz")).suffix.lower())) is not None:
        return by_name, False
    lines = re.split("\r\n|[\r\n]", head.removeprefix("\ufeff"))
    lines = [line if line.strip() else "" for line in lines[:-1] or lines]  # the last one may be cut
    while lines and not lines[0]:
        del lines[0]
    if not lines:
        return "text", False
    if _JSON_OBJECT.match(lines[0]):
        return "jsonl", False
    filled = [(number, line) for number, line in enumerate(lines, 1) if line]
    filled = [(number, line) for number, line in filled if not line.startswith("#")] or filled  # may be comments
    columns = find_columns(filled, None, False, None, 1, False)
    split = [columns.split(line) for _, line in filled]
    if split[0][0] == DOCUMENT_START:
        return "columns", True
    if columns.number == 1:
        in_blocks = "" in lines and any(map(all, itertools.pairwise(lines)))
        one_word = all(len(cells) == 1 for cells in split)
        return ("columns", True) if in_blocks and one_word else ("text", False)
    tagged = sum(len(cells) == columns.number and _TAG.fullmatch(cells[-1]) is not None for cells in split)
    is_tagged = tagged >= _MOSTLY * len(split) and any(
        cells[-1] != UNKNOWN for cells in split
    )  # `?` also ends questions
    return ("columns", True) if is_tagged else ("text", False)


def tag_rows(tagger: NerTagger, rows: Iterable[Row], batch_size: int = _WINDOW) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Each row with its answer, in their order. At most `batch_size` rows are read at a time, fewer where they are long."""
    read: deque[list[Row]] = deque()

    def batches() -> Iterator[list[Any]]:
        for window in windows(rows, batch_size, _WINDOW_SIZE, lambda row: row.size):
            read.append(window)
            yield [row.item for row in window]

    for answers in tagger.tag_batches(batches()):
        yield from zip(read.popleft(), answers, strict=True)


def tag_instances(
    tagger: NerTagger, instances: Iterable[Instance], name: str, batch_size: int = _WINDOW
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Likewise for what a dataset reader makes of a file. The tags that an instance has are kept, in BIOES."""
    number = 0
    for window in windows(instances, batch_size, _WINDOW_SIZE, lambda instance: len(words_of(instance))):
        for instance, answer in zip(window, tagger.predict_batch_instance(window), strict=True):
            number += 1
            tags = instance.fields.get("tags")
            kept = {"tags": bioul_to_bioes(tags.labels)} if isinstance(tags, SequenceLabelField) else {}  # type: ignore[arg-type]
            yield Row(f"{name}, sentence {number}", kept, None, 1), answer


def _text(text: str, where: str, notes: Tally) -> str:
    result = repaired(text)
    if result != text and result != text.removeprefix("\ufeff"):
        notes.add("lines with bytes that are not UTF-8, read as Windows-1252 (recode the file if that is wrong)", where)
    return result


def _lines(file: io.TextIOWrapper, shown: str, notes: Tally) -> Iterator[tuple[int, Optional[str]]]:
    """Lines with their numbers, from 1; `None` for one that is too long."""
    for number in itertools.count(1):
        line = read_line(file)
        if line == "":
            return
        yield number, None if line is None else _text(line.removesuffix("\n"), f"{shown}, line {number}", notes)


def _line_rows(lines: Iterator[tuple[int, Optional[str]]], kind: str, name: str, shown: str) -> Iterator[Row]:
    for number, line in lines:
        if line is None:
            item: Any = too_long()
        else:
            item = {"sentence": line} if kind == "text" else from_json(line)
        yield Row(f"{shown}, line {number}", kept(item, name, number, line), item, len(line or "") + 1)


def _column_rows(lines: Iterator[tuple[int, Optional[str]]], shown: str, layout: Layout) -> Iterator[Row]:
    """Sentences, with the tags that they have; one with a line that does not fit is an error of its own."""
    first = list(itertools.islice(lines, _FIRST_LINES))
    filled = [(number, line) for number, line in first if line is not None]
    has_separator = layout.separator and any(layout.separator in line for _, line in filled if line.strip())
    separator = layout.separator if has_separator or layout.quoted else None
    columns = find_columns(filled, separator, layout.quoted, layout.comment_prefix, 1, False)
    token = layout.token_column if -columns.number <= layout.token_column < columns.number else 0
    tag: Optional[int] = layout.tag_column if -columns.number <= layout.tag_column < columns.number else -1
    tag = None if tag in (token, token - columns.number) else tag
    sentence = _Sentence(shown)
    for number, line in itertools.chain(first, lines):
        problem = ""
        cells = [""]
        if line is None:
            problem = str(too_long()["error"])
        elif not sentence.words and layout.comment_prefix and line.startswith(layout.comment_prefix):
            continue
        else:
            try:
                cells = columns.split(line)
                if not line.strip() or not any(cells) or starts_document(cells, bool(sentence.words)):
                    yield from sentence.row()
                    sentence = _Sentence(shown)
                    continue
                if (wrong := columns.problem(cells, line, 1)) is not None:
                    problem = wrong.what
                elif not cells[token]:
                    problem = f"the token in {shown_line(line)} is empty"
            except csv.Error as error:
                problem = f"{shown_line(line)} is not quoted as csv is ({error})"
        sentence.add(number, len(line or ""), problem, *(() if problem else (cells[token], tag and cells[tag])))
    yield from sentence.row()


class _Sentence:
    """Lines of a sentence as they are read; no more of one is kept than can be tagged."""

    def __init__(self, shown: str) -> None:
        self.words: list[str] = []
        self._shown = shown
        self._tags: list[str] = []
        self._first = self._size = 0
        self._problem = ""

    def add(self, number: int, size: int, problem: str, word: str = "", tag: Optional[str] = None) -> None:
        self._first = self._first or number
        self._size += size + 1
        if problem:
            self._problem = self._problem or f"line {number}: {problem}"
        elif self._size <= MAX_LINE:
            self.words.append(word)
            if tag is not None:
                self._tags.append(tag)

    def row(self) -> Iterator[Row]:
        if not self._first:
            return
        kept = {"tokens": self.words, **({"tags": self._tags} if self._tags else {})}
        item: Any = {"tokens": self.words}
        if self._problem:
            item = Unreadable(error=self._problem)
        elif self._size > MAX_LINE:
            item = too_long("the sentence")
        yield Row(f"{self._shown}, line {self._first}", kept, item, self._size)


def _document(file: io.TextIOWrapper, name: str, shown: str, notes: Tally) -> Row:
    text = file.read(MAX_LINE + 1)
    if len(text) > MAX_LINE:
        return Row(shown, {"file": name}, too_long("the document"), 1)
    text = _text(text, shown, notes)
    return Row(shown, {"file": name, "text": text}, {"text": text}, len(text))
