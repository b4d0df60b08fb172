"""What a format's parser finds, made into a document or refused by the place where it stands."""

import re
import reprlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.documents import Document, Entity, Tally
from roseq_allennlp.data.formats.format import ReadOptions
from roseq_allennlp.errors import ConfigurationError

_WHITE = re.compile(r"(?:\s|\\[nrt])+")


class RawSpan(NamedTuple):
    """A span as a file has it, unchecked; `quote` is the text that the file says it covers."""

    label: Any
    start: Any
    end: Any
    quote: Optional[str] = None
    where: str = ""


def checked_document(
    text: Any,
    spans: Iterable[RawSpan],
    where: str,
    options: ReadOptions,
    tally: Tally,
    tokens: Optional[Sequence[tuple[Any, Any]]] = None,
    other: Optional[dict[str, Any]] = None,
) -> Document:
    """
    A document of these parts. If the file quotes the text of spans, quotes decide which offsets the file counts in, and a
    span that covers other text is refused, or left out where `misaligned` says so.

    # Raises

    `ConfigurationError`: what is no text, no offsets within it, or no label.
    """
    text = checked_text(text, where)
    spans = list(spans)
    offsets = options.offsets
    if offsets == "code_points" and any(span.quote is not None for span in spans) and not _fits(text, spans, offsets):
        if _fits(text, spans, "utf16"):
            offsets = "utf16"
            tally.add("documents whose offsets count UTF-16 units, as their quotes show", where)
    positions = _positions(text, offsets)
    entities = []
    for span in spans:
        at = span.where or where
        start, end = _checked_offsets(span.start, span.end, text, positions, at)
        label = checked_label(span.label, at)
        if span.quote is not None and not _same(text[start:end], span.quote):
            if options.misaligned != "skip":
                raise ConfigurationError(
                    f"{at}: the text from {span.start} to {span.end} is {reprlib.repr(text[start:end])}, but the annotation"
                    f' says {reprlib.repr(span.quote)}. Correct it, or leave such spans out with `misaligned: "skip"`.'
                )
            tally.add("spans that quote other text, left out", at)
            continue
        entities.append(Entity(label, start, end))
    given = None
    if tokens is not None:
        given = [
            _checked_offsets(start, end, text, positions, f"{where}, token {i}")
            for i, (start, end) in enumerate(tokens)
        ]
        for index, (previous, token) in enumerate(zip(given, given[1:], strict=False), 1):
            if token[0] < previous[1]:
                raise ConfigurationError(f"{where}: token {index} begins before the end of the token before it.")
    document = Document(text, entities, given, where=where, other=other or {})
    document.unknown = [(0, len(text))] if options.assume_unmarked == "unknown" else []
    return document


def without_unknown(documents: Iterable[Document], name: str) -> Iterator[Document]:
    """Documents for a format that cannot say that it is unknown whether there is an entity; one with such text is an error."""
    for document in documents:
        if document.unknown and document.unmarked()[1]:
            raise ConfigurationError(
                f"{document.where}: has unknown tags, which {name} cannot hold. Write columns, hf, conllu, spacy or, for documents"
                " in which all that is unmarked is unknown, doccano."
            )
        yield document


def checked_text(text: Any, where: str) -> str:
    """Raises `ConfigurationError` for what is no text, and for half a surrogate pair, which no tokeniser takes."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{where}: the text must be a string, got {reprlib.repr(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"{where}: character {error.start} of the text is half a surrogate pair ({text[error.start]!r}). Remove it."
        ) from error
    return text


def checked_label(label: Any, where: str) -> str:
    """Raises `ConfigurationError` for what cannot be the type of an entity."""
    if not isinstance(label, str) or not label.strip() or label != label.strip():
        raise ConfigurationError(
            f"{where}: the label of a span must be text without white space at its ends, got {reprlib.repr(label)}."
        )
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in label):
        raise ConfigurationError(f"{where}: the label {label!r} holds a tab, a line end or another control character.")
    return label


def _checked_offsets(
    start: Any, end: Any, text: str, positions: Optional[dict[int, int]], where: str
) -> tuple[int, int]:
    for offset in (start, end):
        if not isinstance(offset, int) or isinstance(offset, bool):
            raise ConfigurationError(f"{where}: the offsets of a span must be integers, got {reprlib.repr(offset)}.")
    length = len(text) if positions is None else max(positions)
    if not 0 <= start < end <= length:
        raise ConfigurationError(
            f"{where}: a span from {start} to {end} is empty or outside its text of {length} characters. Correct it;"
            ' offsets of UTF-16 units, as some versions of tools in a browser write them, are read with `offsets: "utf16"`.'
        )
    if positions is None:
        return start, end
    if start not in positions or end not in positions:
        raise ConfigurationError(
            f'{where}: a span from {start} to {end} cuts a character in two. Leave out `offsets: "utf16"` if offsets count'
            " characters."
        )
    return positions[start], positions[end]


def _positions(text: str, offsets: str) -> Optional[dict[int, int]]:
    """The code point at each UTF-16 unit that begins one; `None` where both are the same."""
    if offsets == "code_points" or not text or max(text) <= "\uffff":
        return None
    positions, unit = {}, 0
    for index, character in enumerate(text):
        positions[unit] = index
        unit += 2 if character > "\uffff" else 1
    positions[unit] = len(text)
    return positions


def _fits(text: str, spans: Iterable[RawSpan], offsets: str) -> bool:
    positions = _positions(text, offsets)
    for span in spans:
        if span.quote is None:
            continue
        start, end = span.start, span.end
        if positions is not None:
            start, end = positions.get(start), positions.get(end)
        if not isinstance(start, int) or not isinstance(end, int) or not _same(text[start:end], span.quote):
            return False
    return True


def _same(text: str, quote: str) -> bool:
    """White space apart, which tools write in several ways."""
    return text == quote or _WHITE.sub(" ", text).strip() == _WHITE.sub(" ", quote).strip()
