"""Label Studio's JSON and JSON-MIN."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import writing


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`."""
    raise NotImplementedError


def write(documents: Iterable[Document], output: Output) -> None:
    """
    See `Format`. An array of tasks, for a project whose labels have the names `label` and `text`, as those of Label
    Studio's template for named entities.
    """
    with writing(output) as file:
        file.write("[")
        separator = "\n"
        for document in documents:
            file.write(separator + json.dumps(_task(document), ensure_ascii=False))
            separator = ",\n"
        file.write("\n]\n")


def _task(document: Document) -> dict[str, Any]:
    result = [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {
                "start": entity.start,
                "end": entity.end,
                "text": document.text[entity.start : entity.end],
                "labels": [entity.label],
            },
        }
        for entity in document.entities
    ]
    return {"data": {**document.other, "text": document.text}, "annotations": [{"result": result}]}
