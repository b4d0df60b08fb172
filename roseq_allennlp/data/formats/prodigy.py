"""Prodigy's JSON lines: `{"text": …, "tokens": […], "spans": [{"start", "end", "label"}, …], "answer": "accept"}`."""

from collections.abc import Iterable, Iterator
from typing import Any

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import write_rows


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`. Rows with another `answer` than `accept` are left out."""
    raise NotImplementedError


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`."""
    write_rows(map(_row, documents), output)


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
        for span, of_tokens in zip(spans, document.token_spans(), strict=True):
            span.update(token_start=of_tokens.start, token_end=of_tokens.end - 1)  # the last token, not the one after
    return {**row, "spans": spans}
