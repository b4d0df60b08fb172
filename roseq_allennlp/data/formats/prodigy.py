"""Prodigy's JSON lines: `{"text": …, "tokens": […], "spans": [{"start", "end", "label"}, …], "answer": "accept"}`."""

import reprlib
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.checks import RawSpan, checked_document, without_unknown
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import rows, write_rows
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.text import shown


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`. Rows with another `answer` than `accept` are left out."""
    for where, row in rows(path):
        answer = row.get("answer", "accept")
        if answer != "accept":
            tally.add(f"rows with the answer {shown(str(answer))[:20]!r} left out", where)
            continue
        yield _document(row, where, options, tally)


def _document(row: dict[str, Any], where: str, options: ReadOptions, tally: Tally) -> Document:
    spans = [
        RawSpan(span["label"], span["start"], span["end"])
        for span in _items(row.get("spans") or [], {"start", "end", "label"}, "spans", where)
    ]
    tokens: Optional[list[tuple[Any, Any]]] = None
    if row.get("tokens") is not None:
        items = _items(row["tokens"], {"start", "end"}, "tokens", where)
        tokens = [(token["start"], token["end"]) for token in items]
    other = {key: value for key, value in row.items() if key not in ("text", "spans", "tokens")}
    return checked_document(row.get("text"), spans, where, options, tally, tokens, other)


def _items(items: Any, keys: set[str], name: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(items, list):
        raise ConfigurationError(f"{where}: `{name}` must be a list, got {reprlib.repr(items)}.")
    for item in items:
        if not isinstance(item, dict) or not keys <= item.keys():
            raise ConfigurationError(
                f"{where}: each of `{name}` must have {', '.join(f'`{key}`' for key in sorted(keys))}, got"
                f" {reprlib.repr(item)}."
            )
    return items


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`."""
    write_rows(map(_row, without_unknown(documents, "Prodigy's format")), output)


def _row(document: Document) -> dict[str, Any]:
    spans: list[dict[str, Any]] = [
        {"start": entity.start, "end": entity.end, "label": entity.label} for entity in document.entities
    ]
    row: dict[str, Any] = {**document.other, "text": document.text}
    if document.tokens is not None:
        row["tokens"] = [
            {
                "text": document.text[start:end],
                "start": start,
                "end": end,
                "id": index,
                "ws": document.text[end : end + 1].isspace(),
            }
            for index, (start, end) in enumerate(document.tokens)
        ]
        starts = {start: index for index, (start, _) in enumerate(document.tokens)}
        ends = {end: index for index, (_, end) in enumerate(document.tokens)}
        for span in spans:
            if span["start"] in starts and span["end"] in ends:  # the last token, not the one after it
                span.update(token_start=starts[span["start"]], token_end=ends[span["end"]])
    return {**row, "spans": spans}
