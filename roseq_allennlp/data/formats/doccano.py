"""
doccano's JSON lines, `{"text": …, "label": [[start, end, type], …]}`, or with relations
`{"text": …, "entities": [{"start_offset", "end_offset", "label"}, …]}`. With `"partial": true` a row has only some of its
entities: what is unmarked is unknown.
"""

import reprlib
from collections.abc import Iterable, Iterator
from typing import Any

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.checks import RawSpan, checked_document
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import rows, write_rows
from roseq_allennlp.errors import ConfigurationError

TEXT = ("text", "data")  # the latter in some versions of doccano
SPANS = ("label", "labels", "entities")


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`."""
    for where, row in rows(path):
        yield document_of(row, where, options, tally)


def document_of(row: dict[str, Any], where: str, options: ReadOptions, tally: Tally) -> Document:
    """The document of a row."""
    text = next((row[key] for key in TEXT if key in row), None)
    given = [row[key] for key in SPANS if key in row]
    if not given or not all(isinstance(spans, list) for spans in given):
        raise ConfigurationError(
            f"{where}: expected a list of spans as `label`, `labels` or `entities` beside `text`, got the keys"
            f" {reprlib.repr(sorted(row))}."
        )
    spans = [_span(span, where) for some in given for span in some]
    partial = row.get("partial")
    if partial is not None and not isinstance(partial, bool):
        raise ConfigurationError(f"{where}: `partial` must be true or false, got {reprlib.repr(partial)}.")
    other = {key: value for key, value in row.items() if key not in (*TEXT, *SPANS, *(["partial"] if partial else []))}
    document = checked_document(text, spans, where, options, tally, other=other)
    if partial is not None:
        document.unknown = [(0, len(document.text))] if partial else []
    return document


def _span(span: Any, where: str) -> RawSpan:
    if isinstance(span, list) and len(span) == 3:
        return RawSpan(span[2], span[0], span[1])
    if isinstance(span, dict) and {"start_offset", "end_offset", "label"} <= span.keys():
        return RawSpan(span["label"], span["start_offset"], span["end_offset"])
    raise ConfigurationError(
        f'{where}: expected a span as [start, end, type] or {{"start_offset", "end_offset", "label"}}, got'
        f" {reprlib.repr(span)}."
    )


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`. `partial` is written where all text in no entity is unknown."""
    write_rows(map(_row, documents), output)


def _row(document: Document) -> dict[str, Any]:
    is_known, is_unknown = document.unmarked() if document.unknown else (True, False)
    if is_known and is_unknown:
        raise ConfigurationError(
            f"{document.where}: has both tokens of unknown tag and tokens in no entity, of which `partial` says only one."
            " Write columns, hf, conllu or spacy."
        )
    return {
        **document.other,
        "text": document.text,
        "label": [[entity.start, entity.end, entity.label] for entity in document.entities],
        **({"partial": True} if is_unknown else {}),
    }
