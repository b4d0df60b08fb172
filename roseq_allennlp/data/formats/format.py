from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Optional, TextIO, Union

from roseq_allennlp.data.documents import Document, Tally

Output = Union[str, TextIO]
"""A path, `-` for standard output, or a stream of text. The latter two for formats of lines alone."""


@dataclass
class ReadOptions:
    """
    # Parameters

    annotator : `str`, optional (default = the first annotation of each task)
        Label Studio: the id or e-mail address of the annotator whose annotations are read.
    labels : `List[str]`, optional (default = those that the file has with it)
        Hugging Face datasets: the tags that the integers of `ner_tags` stand for.
    offsets : `str`, optional (default = `"code_points"`)
        What offsets count: `code_points`, or `utf16`, the units that JavaScript counts in.
    misaligned : `str`, optional (default = `"expand"`)
        With `skip`, spans for which the file quotes other text than they cover are left out; otherwise they are errors.
    columns : `Dict`, optional
        Parameters of `ColumnReader`.
    assume_unmarked : `str`, optional (default = `"O"`)
        What text is in which a file marks no entity: `O`, or `unknown`, where there may be one. Tags, and the file's own word
        about a document, come first.
    """

    annotator: Optional[str] = None
    labels: Optional[list[str]] = None
    offsets: str = "code_points"
    misaligned: str = "expand"
    columns: Optional[dict] = None
    assume_unmarked: str = "O"


class Format(NamedTuple):
    """
    # Parameters

    read : `Callable[[str, ReadOptions, Tally], Iterator[Document]]`
        As a stream; what is left out is counted.
    write : `Callable[[Iterable[Document], Output], None]`
        As a stream, except where the format is one compressed block (`spacy`).
    needs_tokens : `bool`
        Whether documents must have `tokens`, and entities begin and end with them, to be written.
    is_lines : `bool`
        Whether it may be written to standard output.
    extension : `str`
        Of a new file; empty for a directory.
    """

    read: Callable[[str, ReadOptions, Tally], Iterator[Document]]
    write: Callable[[Iterable[Document], Output], None]
    needs_tokens: bool
    is_lines: bool
    extension: str
