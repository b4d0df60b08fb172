"""doccano's JSON lines: `{"text": …, "label": [[start, end, type], …]}`."""

from collections.abc import Iterable, Iterator

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import write_rows


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`."""
    raise NotImplementedError


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`."""
    write_rows(
        (
            {
                **document.other,
                "text": document.text,
                "label": [[entity.start, entity.end, entity.label] for entity in document.entities],
            }
            for document in documents
        ),
        output,
    )
