import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Token
from spacy.tokens import Doc

from roseq_allennlp.data.alignment import aligned, sentences_of
from roseq_allennlp.data.dataset_readers.ner_reader import NerReader
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.format_names import MISALIGNED
from roseq_allennlp.data.formats import FORMATS, ReadOptions, recognised
from roseq_allennlp.data.text_files import local_path
from roseq_allennlp.data.tokenizers import SpacyTokenizer

logger = logging.getLogger(__name__)


@DatasetReader.register("spans")
class SpansReader(NerReader):
    """
    Reads what annotation tools export: texts with entities as spans of characters, and tokenised texts with tags. A text
    is split by spaCy's rules for the language, and into sentences as `NerTagger.tag_document` splits it; an entity never
    ends outside its sentence. Tokens and sentences that a file gives are kept, without tokens of white space.

    Fields are those of `NerReader`; each token has its place in the text as its `idx`. A warning for a file has the
    counts and first places of what was changed or left out: spans that cut a token, overlapping ones, of which the
    longest is kept, rows that an annotator rejected.

    # Parameters

    All those of `NerReader`, and these.

    format : `str`, optional (default = recognised in each file)
        One of `roseq_allennlp.data.formats.FORMATS`: `doccano`, `prodigy`, `label-studio`, `brat`, `spacy`, `hf`, `conllu`,
        `columns`.
    misaligned : `str`, optional (default = `"expand"`)
        What becomes of a span that cuts a token: it grows to the whole token, is left out (`skip`), or ends the reading
        (`error`).
    split_sentences : `bool`, optional (default = `True`)
        Whether texts whose sentences are not given are split; where not, each text is an instance.
    annotator : `str`, optional (default = the first annotation of each task)
        Label Studio: whose annotations are read, by id or e-mail address.
    labels : `List[str]`, optional (default = those that are with the file)
        Hugging Face: the tags that integers stand for, in order.
    offsets : `str`, optional (default = `"code_points"`)
        What offsets count: `code_points`, or `utf16`, as tools in a browser may.
    assume_unmarked : `str`, optional (default = `"O"`)
        What text is in which a file marks no entity: `O`, or `unknown`, where any tag is possible. A token's own tag and
        doccano's `partial` come first. It holds for all files that this reader reads, development data too.

    # Raises

    `ConfigurationError`: a parameter that breaks its rule, when the reader is built; a file that is missing, is in no known
    format or breaks its rules, and a language whose tokeniser needs a package that is missing, when a text is read.
    The message names the file and the line.
    """

    def __init__(
        self,
        format: Optional[str] = None,
        misaligned: str = "expand",
        split_sentences: bool = True,
        annotator: Optional[str] = None,
        labels: Optional[list[str]] = None,
        offsets: str = "code_points",
        assume_unmarked: str = "O",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        for name, value, values in (
            ("format", format, (None, *FORMATS)),
            ("misaligned", misaligned, MISALIGNED),
            ("offsets", offsets, ("code_points", "utf16")),
            ("assume_unmarked", assume_unmarked, ("O", "unknown")),
        ):
            if value not in values:
                raise ConfigurationError(f"`{name}` must be one of {', '.join(filter(None, values))}, got {value!r}.")
        self._format = format
        self._misaligned = misaligned
        self._split_sentences = split_sentences
        self._options = ReadOptions(annotator, labels, offsets, misaligned, assume_unmarked=assume_unmarked)
        self._tokenizer: Optional[SpacyTokenizer] = None

    def read_sentences(self, file_path: str) -> Iterator[tuple[Sequence[Union[str, Token]], list[str]]]:
        path = file_path if Path(file_path).is_dir() else local_path(file_path)
        name = self._format or recognised(path)
        logger.info("%s: is read as %s", path, name)
        tally = Tally()
        sentences = 0
        try:
            for document in FORMATS[name].read(path, self._options, tally):
                document = aligned(document, self._tokenize, self._misaligned, tally, self._split_sentences)
                for places, tags in sentences_of(document):
                    sentences += 1
                    yield [Token(document.text[start:end], idx=start) for start, end in places], tags
        finally:  # also where the reading stops early, at `max_instances`
            if tally.counts:
                logger.warning("%s: %s", path, tally)
        if not sentences:
            raise ConfigurationError(f"{path}: the file holds no text with a word.")

    def _tokenize(self, text: str) -> Doc:
        if self._tokenizer is None:  # none where only tokens come in
            self._tokenizer = SpacyTokenizer(self.language)
        return self._tokenizer(text)
