"""BRAT's standoff: a directory with NAME.txt, the text, and NAME.ann, a line for each annotation, for each document."""

import re
import reprlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.documents import Document, Entity, Tally
from roseq_allennlp.data.formats.checks import RawSpan, checked_document, without_unknown
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.errors import ConfigurationError

_OTHER = re.compile(r"(?:[A-SU-Z#]\S*|\*)[\t ]")  # relations, events, attributes, notes, equivalences
_TEXT_BOUND = re.compile(r"T\S*\t(\S+) ([^\t]*)(?:\t(.*))?", re.DOTALL)


class _Line(NamedTuple):
    number: int
    label: str
    fragments: list[tuple[int, int]]
    quote: Optional[str]


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """
    See `Format`. Directories below are read too. A span with a gap in it is refused, unless only white space stands in the
    gap, as where BRAT writes a span that goes on in the next line.
    """
    texts = {file.with_suffix(""): file for file in sorted(Path(path).rglob("*.txt"))}
    annotations = {file.with_suffix(""): file for file in sorted(Path(path).rglob("*.ann"))}
    for name in sorted(texts.keys() | annotations.keys()):
        if name not in texts or name not in annotations:
            there, missing = (texts[name], ".ann") if name in texts else (annotations[name], ".txt")
            raise ConfigurationError(
                f"{there}: {name.name}{missing} is missing beside it. BRAT has both for each document; the"
                " .ann of one without annotations is empty."
            )
        yield _document(texts[name], annotations[name], options, tally)


def _document(text_file: Path, annotation_file: Path, options: ReadOptions, tally: Tally) -> Document:
    text = _decoded(text_file)
    lines = list(_text_bound(annotation_file))
    # Offsets are of the file as it is; some tools count a line end of two characters as one, or no byte order mark.
    plain = text.removeprefix("\ufeff")
    readings = [text, plain, text.replace("\r\n", "\n"), plain.replace("\r\n", "\n")]
    chosen = next((reading for reading in readings if _fits(reading, lines)), plain)
    mark = len(chosen) - len(chosen.removeprefix("\ufeff"))  # no part of the text, even where it is counted
    spans = []
    for line in lines:
        where = f"{annotation_file}, line {line.number}"
        start, end = max(line.fragments[0][0] - mark, 0), line.fragments[-1][1] - mark
        for (_, before), (after, _) in zip(line.fragments, line.fragments[1:], strict=False):
            if before > after or chosen[before:after].strip():
                raise ConfigurationError(
                    f"{where}: the span is discontinuous ({';'.join(f'{s} {e}' for s, e in line.fragments)}), which tags cannot"
                    " hold. Annotate each part, or the whole from its first to its last character."
                )
        spans.append(RawSpan(line.label, start, end, line.quote, where))
    return checked_document(chosen[mark:], spans, str(text_file), options, tally)


def _fits(text: str, lines: list[_Line]) -> bool:
    return all(
        line.quote is None
        or " ".join(text[line.fragments[0][0] : line.fragments[-1][1]].split()) == " ".join(line.quote.split())
        for line in lines
    )


def _text_bound(file: Path) -> Iterator[_Line]:
    pending: Optional[tuple[int, str]] = None  # an annotation whose text may go on in the next line
    for number, line in enumerate(re.split(r"\r\n|\n|\r", _decoded(file).removeprefix("\ufeff")), 1):
        if re.match(r"T\S*\t", line):
            if pending:
                yield _parsed(*pending, file)
            pending = number, line
        elif _OTHER.match(line):
            if pending:
                yield _parsed(*pending, file)
            pending = None
        elif pending and line.strip():
            pending = pending[0], f"{pending[1]}\n{line}"
        elif line.strip():
            raise ConfigurationError(f"{file}, line {number}: {reprlib.repr(line)} is no annotation of BRAT.")
    if pending:
        yield _parsed(*pending, file)


def _parsed(number: int, line: str, file: Path) -> _Line:
    match = _TEXT_BOUND.fullmatch(line)
    try:
        if match is None:
            raise ValueError
        fragments = [(_number(start), _number(end)) for start, end in (part.split() for part in match[2].split(";"))]
    except ValueError as error:
        raise ConfigurationError(
            f"{file}, line {number}: expected T1<TAB>TYPE START END<TAB>TEXT, got {reprlib.repr(line)}."
        ) from error
    return _Line(number, match[1], fragments, match[3])


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError
    return int(text)


def _decoded(file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{file}, line {number}: byte 0x{data[error.start]:02x} is not UTF-8. Recode the file."
        ) from error


def write(documents: Iterable[Document], output: Output) -> None:
    """
    See `Format`. The directory must be new or empty; documents are numbered. `annotation.conf` has the types, without
    which BRAT does not show them.
    """
    directory = new_directory(output)
    labels: dict[str, None] = {}
    for number, document in enumerate(without_unknown(documents, "BRAT's format"), 1):
        lines = []
        for index, entity in enumerate(document.entities, 1):
            if re.search(r"\s", entity.label):
                raise ConfigurationError(
                    f"{document.where}: the type {entity.label!r} has a space, which BRAT does not allow."
                )
            labels[entity.label] = None
            fragments = ";".join(f"{start} {end}" for start, end in _by_line(document.text, entity))
            quote = " ".join(re.split(r"[\r\n]+", document.text[entity.start : entity.end]))
            lines.append(f"T{index}\t{entity.label} {fragments}\t{quote}\n")
        for suffix, text in ((".txt", document.text), (".ann", "".join(lines))):
            (directory / f"{number:06}{suffix}").write_text(text, encoding="utf-8", newline="")
    entities = "\n".join(labels)
    (directory / "annotation.conf").write_text(
        f"[entities]\n{entities}\n[relations]\n[events]\n[attributes]\n", "utf-8"
    )


def _by_line(text: str, entity: Entity) -> list[tuple[int, int]]:
    return [match.span() for match in re.compile(r"[^\r\n]+").finditer(text, entity.start, entity.end)]


def new_directory(output: Any) -> Path:
    """A directory to write into, which must be new or empty."""
    if not isinstance(output, str) or output == "-":
        raise ConfigurationError("this format is a directory, which cannot go to standard output. Name one.")
    directory = Path(output)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigurationError(f"{output}: the directory is not empty. Name a new one, or empty it.")
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be made a directory: {error.strerror}.") from error
    return directory
