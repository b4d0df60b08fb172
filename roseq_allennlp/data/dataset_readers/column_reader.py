from collections.abc import Iterator
from typing import Optional

from allennlp.data import DatasetReader

from roseq_allennlp.data.column_file import ColumnFile
from roseq_allennlp.data.dataset_readers.ner_reader import NerReader


@DatasetReader.register("columns")
class ColumnReader(NerReader):
    """
    Reads files of one token per line, in columns, a line without text (or a `-DOCSTART-` line) after each sentence.
    gzip, a byte order mark at the start of any line, the line ends `\\n`, `\\r\\n` and `\\r`, and a missing one at the end
    are accepted; a token may hold any other of Unicode's line separators. Invisible characters around a tag are left
    out, with a warning.

    A tag `?` is unknown, and so is spaCy's `-` in a file that has the tag `O` too; in one without, `-` may be its O, and is an
    error that `tag_map` settles. What stands in other columns is no tag.

    Each line must have as many columns as most of the first lines have. The file is read as a stream, several times
    where its columns, scheme or encoding must be found first.

    # Parameters

    All those of `NerReader`, and these.

    separator : `str`, optional (default = tabs where most of the first lines have one, else any run of spaces and tabs)
        Between two columns.
    token_column, tag_column : `int`, optional (default = `0` and `-1`)
        From 0; negative ones count from the end.
    tag_scheme : `str`, optional (default = detected in each file, and logged)
        `IOB1`, `IOB2` or `BIOES`: what the file is written in. `BIOES` reads its other spellings too, BIOUL and BMES.
    encoding : `str`, optional (default = UTF-8, UTF-16 by its mark, or cp1252 or ISO-8859-1 with a warning)
        If given, a byte that cannot be decoded is an error.
    on_invalid_tags : `str`, optional (default = `"repair"`)
        `repair` reads the entities as `conlleval` does (see `tag_schemes.to_spans`) and warns once for a file, with the
        count and the first places; `error` stops at the first.
    on_bad_line : `str`, optional (default = `"error"`)
        For a line with too many or too few columns, an empty token or what is no tag: `error` stops at the first; `skip`
        leaves such lines out, and warns once for a file, with the count and the first places.
    comment_prefix : `str`, optional (default = there are no comments)
        Lines that begin with it are left out before the first token of a sentence; elsewhere they are tokens.
    sentence_column : `int`, optional (default = none)
        A sentence ends where this column has another text, and an empty cell continues it.
    quoting : `str`, optional (default = none)
        `csv`: cells may be in quotation marks; the separator is then a comma unless it is given or a tab is found.
    tag_map : `Dict[str, str]`, optional
        The file's spelling of a tag, and the tag of the scheme, or `?`: `{"b-per": "B-PER"}`.

    # Raises

    `ConfigurationError`: a parameter that breaks its rule, when the reader is built; a file that is missing, holds no
    sentence, or has a bad line, a tag that the scheme lacks or an undecodable byte, when it is read. The message names
    the file and the line.
    """

    def __init__(
        self,
        separator: Optional[str] = None,
        token_column: int = 0,
        tag_column: int = -1,
        tag_scheme: Optional[str] = None,
        encoding: Optional[str] = None,
        on_invalid_tags: str = "repair",
        on_bad_line: str = "error",
        comment_prefix: Optional[str] = None,
        sentence_column: Optional[int] = None,
        quoting: Optional[str] = None,
        tag_map: Optional[dict[str, str]] = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.file = ColumnFile(
            separator,
            token_column,
            tag_column,
            tag_scheme,
            encoding,
            on_invalid_tags,
            on_bad_line,
            comment_prefix,
            sentence_column,
            quoting,
            tag_map,
        )

    def read_sentences(self, file_path: str) -> Iterator[tuple[list[str], list[str]]]:
        for _, words, tags in self.file.read_numbered(file_path):
            yield words, tags
