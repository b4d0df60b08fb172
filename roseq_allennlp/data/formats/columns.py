"""A token a line, in columns, as the reader `columns` reads them; written as `token<TAB>tag` in IOB2."""

import re
from collections.abc import Iterable, Iterator

from allennlp.common.checks import ConfigurationError
from allennlp.common.params import Params

from roseq_allennlp.data.dataset_readers.column_reader import ColumnReader
from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import writing
from roseq_allennlp.data.tag_schemes import from_spans, to_spans


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """See `Format`. Each sentence is a document."""
    try:
        reader = ColumnReader.from_params(Params(dict(options.columns or {})))
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(f"the parameters of `columns` do not fit: {error}") from error
    for number, (words, tags) in enumerate(reader.read_sentences(path), 1):
        document = Document.from_words(map(str, words), to_spans(tags, "BIOUL"), where=f"{path}, sentence {number}")
        document.sentences = [(0, len(words))]
        yield document


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`. Only the tokens are kept of a text."""
    with writing(output) as file:
        for document in documents:
            words = document.words()
            tags = from_spans(document.token_spans(), len(words), "IOB2")
            for start, end in document.sentences or [(0, len(words))]:
                for word, tag in zip(words[start:end], tags[start:end], strict=True):
                    if re.search(r"[\t\r\n]", word + tag):
                        raise ConfigurationError(
                            f"{document.where}: the token {word!r} with the tag {tag!r} holds a tab or a line end, which columns"
                            " cannot hold."
                        )
                    file.write(f"{word}\t{tag}\n")
                file.write("\n")
