"""
spaCy's training data: a `DocBin` of tokenised documents with `doc.ents`.

spaCy takes seconds to import, which the other formats need not wait for.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from roseq_allennlp.data.documents import Document, Tally, overlapping
from roseq_allennlp.data.formats.checks import RawSpan, checked_document
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.files import replacing

if TYPE_CHECKING:
    from spacy.tokens import Doc


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """
    See `Format`. The tokens, and the sentences if there are some, are those of the file. Tokens without an annotation, which
    spaCy tells from those outside of entities, have an unknown tag.
    """
    from spacy.tokens import DocBin

    from roseq_allennlp.data.tokenizers import vocabulary

    data = Path(path).read_bytes()
    number = 0
    try:
        for number, doc in enumerate(DocBin().from_bytes(data).get_docs(vocabulary()), 1):
            yield _document(doc, f"{path}, document {number}", options, tally)
    except (ConfigurationError, MemoryError, GeneratorExit):
        raise
    except Exception as error:  # of damaged bytes spaCy, srsly, zlib and numpy raise nearly anything
        raise ConfigurationError(
            f"{path}: document {number + 1} cannot be read as a DocBin of spaCy ({type(error).__name__}). Write it with"
            " spaCy 3: `DocBin.to_disk`."
        ) from error


def _document(doc: "Doc", where: str, options: ReadOptions, tally: Tally) -> Document:
    if doc.spans and not doc.ents:
        tally.add("documents with spans in `doc.spans` alone, which are not read", where)
    spans = [RawSpan(span.label_, span.start_char, span.end_char) for span in doc.ents]
    tokens = [(token.idx, token.idx + len(token)) for token in doc]
    code_points = ReadOptions(misaligned=options.misaligned)
    document = checked_document(doc.text, spans, where, code_points, tally, tokens)
    document.unknown = [tokens[token.i] for token in doc if token.ent_iob == 0]
    if doc.has_annotation("SENT_START"):
        document.sentences = [(sentence.start, sentence.end) for sentence in doc.sents]
    return document


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`. What spaCy keeps of white space is a token of its own where it is more than one space."""
    from spacy.tokens import DocBin

    from roseq_allennlp.data.alignment import to_doc

    if not isinstance(output, str) or output == "-":
        raise ConfigurationError("spaCy's format is binary, which cannot go to standard output. Name a file.")
    packed = DocBin(attrs=["ENT_IOB", "ENT_TYPE", "SENT_START"])
    for document in documents:
        document.token_spans()  # refuses an entity that cuts a token
        doc = to_doc(document)
        spans = (doc.char_span(entity.start, entity.end, label=entity.label) for entity in document.entities)
        entities = [span for span in spans if span is not None]
        covered = {index for span in entities for index in range(span.start, span.end)}
        unknown = overlapping([(token.idx, token.idx + len(token)) for token in doc], document.unknown)
        doc.set_ents(entities, missing=[doc[index : index + 1] for index in unknown if index not in covered])
        if document.sentences is not None:
            starts = {(document.tokens or [])[start][0] for start, _ in document.sentences[1:]}
            for token in doc:
                token.is_sent_start = token.i == 0 or token.idx in starts
        packed.add(doc)
    with replacing(output) as temporary:
        temporary.write_bytes(packed.to_bytes())
