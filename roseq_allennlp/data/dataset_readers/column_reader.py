import codecs
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import DatasetReader

from roseq_allennlp.data import corpora
from roseq_allennlp.data.dataset_readers.ner_reader import NerReader
from roseq_allennlp.data.tag_schemes import SOURCE_SCHEMES, convert, detect_scheme, invalid_positions, split_tag

logger = logging.getLogger(__name__)

_DOCUMENT_START = "-DOCSTART-"
_TAGS_SHOWN = 5


class _Sentence(NamedTuple):
    words: list[str]
    tags: list[str]
    lines: list[int]  # where in the file each token is, from 1


@DatasetReader.register("columns")
class ColumnReader(NerReader):
    """
    Reads files of one token per line, in columns, a line without text (or a `-DOCSTART-` line) after each sentence.
    A byte order mark, `\\r\\n` and a missing newline at the end are accepted; lines end at `\\n` alone, as a token may hold
    any other of Unicode's line separators.

    The file is read as a stream, twice or three times where its scheme or encoding must be found first.

    # Parameters

    All those of `NerReader`, and these.

    separator : `str`, optional (default = any run of spaces and tabs)
        Between two columns.
    token_column, tag_column : `int`, optional (default = `0` and `-1`)
        From 0; negative ones count from the end.
    tag_scheme : `str`, optional (default = detected in each file, and logged)
        `IOB1`, `IOB2` or `BIOES`: what the file is written in.
    encoding : `str`, optional (default = UTF-8, or ISO-8859-1 with a warning where the file is not UTF-8)
        If given, a byte that cannot be decoded is an error.
    on_invalid_tags : `str`, optional (default = `"repair"`)
        `repair` reads the entities as `conlleval` does (see `tag_schemes.to_spans`) and warns once for a file, with the
        count and the first places; `error` stops at the first.

    # Raises

    `ConfigurationError`: a parameter that breaks its rule, when the reader is built; a file that is missing, holds no
    sentence, or has a line with too few columns, an empty token, a tag that the scheme lacks or an undecodable
    byte, when it is read. The message names the file and the line.
    """

    def __init__(
        self,
        separator: Optional[str] = None,
        token_column: int = 0,
        tag_column: int = -1,
        tag_scheme: Optional[str] = None,
        encoding: Optional[str] = None,
        on_invalid_tags: str = "repair",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if separator is not None and (not separator or "\n" in separator):
            raise ConfigurationError(
                f"`separator` must be text within a line, got {separator!r}. Leave it out for any spaces and tabs."
            )
        if token_column == tag_column:
            raise ConfigurationError(f"`token_column` and `tag_column` must differ, got {token_column} for both.")
        if tag_scheme is not None and tag_scheme not in SOURCE_SCHEMES:
            raise ConfigurationError(
                f"`tag_scheme` must be one of {', '.join(SOURCE_SCHEMES)}, got {tag_scheme!r}. Leave it out to have it"
                " detected."
            )
        if on_invalid_tags not in ("repair", "error"):
            raise ConfigurationError(f'`on_invalid_tags` must be "repair" or "error", got {on_invalid_tags!r}.')
        self._separator = separator
        self._token_column = token_column
        self._tag_column = tag_column
        self._min_columns = _min_columns(token_column, tag_column)
        self._tag_scheme = tag_scheme
        self._encoding = None if encoding is None else _known_encoding(encoding)
        self._on_invalid_tags = on_invalid_tags

    def read_sentences(self, file_path: str) -> Iterator[tuple[list[str], list[str]]]:
        path = _local_path(file_path)
        encoding = self._encoding or _find_encoding(path)
        scheme = self._tag_scheme
        if scheme is None:
            scheme = detect_scheme(sentence.tags for sentence in self._parse(path, encoding, scheme))
            logger.info("%s: tags are read as %s", path, scheme)
        sentences = invalid = 0
        shown: list[str] = []
        try:
            for sentence in self._parse(path, encoding, scheme):
                sentences += 1
                for position in invalid_positions(sentence.tags, scheme):
                    tag = f"line {sentence.lines[position]}: {sentence.tags[position]}"
                    if self._on_invalid_tags == "error":
                        raise ConfigurationError(
                            f"{path}, {tag} is not valid {scheme} there. Correct it, or have it read as conlleval does"
                            ' with `on_invalid_tags: "repair"`.'
                        )
                    invalid += 1
                    if len(shown) < _TAGS_SHOWN:
                        shown.append(tag)
                yield sentence.words, convert(sentence.tags, scheme, "BIOUL")
        finally:  # also where the reading stops early, at `max_instances`
            if invalid:
                logger.warning("%s: invalid %s tags repaired: %d, at %s", path, scheme, invalid, "; ".join(shown))
        if not sentences:
            raise ConfigurationError(f"{path}: the file holds no sentence. Expected a token per line, in columns.")

    def _parse(self, path: str, encoding: str, scheme: Optional[str]) -> Iterator[_Sentence]:
        sentence = _Sentence([], [], [])
        for number, line in _lines(path, encoding):
            columns = self._split(line)
            if not line.strip() or _DOCUMENT_START in columns:
                if sentence.words:
                    yield sentence
                    sentence = _Sentence([], [], [])
                continue
            if len(columns) < self._min_columns:
                raise ConfigurationError(
                    f"{path}, line {number}: {len(columns)} columns in {line!r}, at least {self._min_columns} are needed"
                    f" between {'spaces or tabs' if self._separator is None else repr(self._separator)}. Check"
                    " `separator`, `token_column` and `tag_column`."
                )
            token, tag = columns[self._token_column], columns[self._tag_column]
            if not token:
                raise ConfigurationError(f"{path}, line {number}: the token in {line!r} is empty.")
            try:
                split_tag(tag, scheme)
            except ValueError as error:
                raise ConfigurationError(
                    f"{path}, line {number}: {error}. Check `tag_column` and `tag_scheme`."
                ) from error
            sentence.words.append(token)
            sentence.tags.append(tag)
            sentence.lines.append(number)
        if sentence.words:
            yield sentence

    def _split(self, line: str) -> list[str]:
        # Not `str.split()`, which also splits at the no-break space and others that tokens hold.
        if self._separator is None:
            return re.split("[ \t]+", line.strip(" \t"))
        return [column.strip(" \t") for column in line.split(self._separator)]


def _min_columns(token_column: int, tag_column: int) -> int:
    first, last = sorted((token_column, tag_column))
    # One from the front and one from the end: enough columns for them to be two.
    return last - first + 1 if first < 0 <= last else max(last + 1, -first)


def _known_encoding(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        if name == "utf-8-sig":
            return "utf-8"  # a byte order mark is always dropped
        if "\n\t -A".encode(name) == b"\n\t -A":
            return name
    except (LookupError, UnicodeError):
        pass
    raise ConfigurationError(
        f"`encoding` must be one that Python knows and that keeps ASCII as it is, such as utf-8, iso-8859-1 or cp1252,"
        f" got {encoding!r}. Leave it out for UTF-8, or recode the file."
    )


def _local_path(file_path: str) -> str:
    try:
        path = cached_path(corpora.resolve(file_path))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{file_path}: no such file. Data paths are relative to the working directory."
        ) from error
    if not Path(path).is_file():
        raise ConfigurationError(f"{file_path}: expected a file, got a directory.")
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise ConfigurationError(f"{file_path}: is compressed by gzip. Unpack it: gunzip {file_path}")
    if path != file_path:
        logger.info("%s is read from %s", file_path, path)
    return path


def _raw_lines(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:  # binary: lines end at "\n" only, and an undecodable byte has a line number
        for number, line in enumerate(file, 1):
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _lines(path: str, encoding: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_raw_lines(path), 1):
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"{path}, line {number}: byte 0x{line[error.start]:02x} is not {encoding} ({error.reason}). Give the"
                " file's `encoding`, or leave it out for UTF-8 with ISO-8859-1 to fall back to."
            ) from error
        yield number, text


def _find_encoding(path: str) -> str:
    for number, line in enumerate(_raw_lines(path), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            logger.warning("%s: line %d is not UTF-8, the file is read as ISO-8859-1", path, number)
            return "iso-8859-1"
    return "utf-8"
