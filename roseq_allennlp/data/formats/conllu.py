from collections.abc import Iterable, Iterator

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.format import Output, ReadOptions


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`."""
    raise NotImplementedError


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`."""
    raise NotImplementedError
