"""A token a line, in columns, as the reader `columns` reads them; written as `token<TAB>tag` in IOB2."""

import re
from collections.abc import Iterable, Iterator

from roseq_allennlp.data.column_file import ColumnFile
from roseq_allennlp.data.columns import DOCUMENT_START
from roseq_allennlp.data.documents import Document, Tally, joined
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import writing
from roseq_allennlp.data.text_files import lines
from roseq_allennlp.errors import ConfigurationError


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """
    See `Format`. The sentences after a line `-DOCSTART-` are a document, of a line each; without such lines each sentence is
    one.
    """
    try:
        file = ColumnFile(**(options.columns or {}))
    except (ConfigurationError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"the parameters of `columns` do not fit: {error}") from error
    starts = (number for number, line in lines(path) if line.startswith(DOCUMENT_START))
    start = next(starts, None)
    sentences: list[Document] = []
    grouped = False
    for number, words, tags in file.read_numbered(path):
        is_start = start is not None and start < number
        while start is not None and start < number:
            start = next(starts, None)
        if sentences and (is_start or not grouped):
            yield joined(sentences)
            sentences = []
        grouped = grouped or is_start
        sentences.append(Document.from_tags(words, tags, "BIOUL", tally, where=f"{path}, line {number}"))
    if sentences:
        yield joined(sentences)


def write(documents: Iterable[Document], output: Output) -> None:
    """
    See `Format`. Only the tokens are kept of a text. A document of several sentences begins with `-DOCSTART-`, and so do all
    after it.
    """
    grouped = False
    with writing(output) as file:
        for document in documents:
            words, tags, sentences = document.tagged()
            grouped = grouped or len(sentences) > 1
            if grouped:
                file.write(f"{DOCUMENT_START}\tO\n\n")
            for start, end in sentences:
                file.writelines(
                    _line(word, tag, document) for word, tag in zip(words[start:end], tags[start:end], strict=True)
                )
                file.write("\n")


def _line(word: str, tag: str, document: Document) -> str:
    if re.search(r"[\t\r\n]", word + tag):
        raise ConfigurationError(
            f"{document.where}: the token {word!r} with the tag {tag!r} holds a tab or a line end, which columns cannot hold."
        )
    return f"{word}\t{tag}\n"
