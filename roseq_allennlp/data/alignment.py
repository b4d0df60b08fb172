"""Entities of characters made entities of tokens, and back into sentences of a reader."""

import reprlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Optional

from allennlp.common.checks import ConfigurationError
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from roseq_allennlp.data.documents import Document, Entity, Tally
from roseq_allennlp.data.sentence_splitting import split_sentences
from roseq_allennlp.data.tokenizers import vocabulary

_TOKENS_SHOWN = 5


def aligned(
    document: Document,
    tokenize: Callable[[str], Doc],
    misaligned: str,
    tally: Tally,
    split: bool = True,
) -> Document:
    """
    The document with tokens, without those of white space, with entities that begin and end with a token and do not
    overlap, and with sentences, none of which ends within an entity. Given tokens and sentences are kept.

    spaCy decides (`Doc.char_span`, `filter_spans`): a span that cuts a token grows to it, is left out or is an error; of
    overlapping spans the longest is kept, of equally long ones the first. White space at the ends of a span is no part
    of it. All of it is counted.

    # Parameters

    document : `Document`
    tokenize : `Callable[[str], Doc]`
        Called for a text without given tokens.
    misaligned : `str`
        One of `format_names.MISALIGNED`.
    tally : `Tally`
    split : `bool`, optional (default = `True`)
        Whether a document whose sentences are not given is split into some.
    """
    doc = tokenize(document.text) if document.tokens is None else to_doc(document)
    spans = []
    for entity in document.entities:
        span = _aligned_span(doc, entity, misaligned, document, tally)
        if span is not None:
            spans.append(span)
    kept = filter_spans(spans)
    stay = set(map(id, kept))
    for span in spans:
        if id(span) not in stay:
            tally.add("overlapping spans left out", f"{document.where} {reprlib.repr(span.text)}")
    given = None if document.tokens is None else set(document.tokens)
    numbers = {}  # of the tokens that stay, by number in the doc
    tokens: list[tuple[int, int]] = []
    for token in doc:
        place = (token.idx, token.idx + len(token))
        if not token.is_space and (given is None or place in given):
            numbers[token.i] = len(tokens)
            tokens.append(place)
    entities = []
    for span in kept:
        inside = [numbers[index] for index in range(span.start, span.end) if index in numbers]
        if inside:
            entities.append(Entity(span.label_, tokens[inside[0]][0], tokens[inside[-1]][1]))
        else:
            tally.add("spans without a token left out", f"{document.where} {reprlib.repr(span.text)}")
    sentences = [(0, len(doc))]
    if document.sentences is not None:
        sentences = _in_doc(document, doc)
    elif split:
        sentences = split_sentences(doc, [(span.start, span.end) for span in kept])
    return Document(
        document.text,
        entities,
        tokens,
        _renumbered(_joined(sentences, kept), numbers),
        document.where,
        document.other,
        document.unknown,
    )


def to_doc(document: Document) -> Doc:
    """
    spaCy's document of given tokens. A space after a token belongs to it; what else stands between two tokens is a
    token of its own, as spaCy has no other way to keep it.
    """
    words: list[str] = []
    spaces: list[bool] = []

    def add(piece: str) -> None:
        if piece.startswith(" ") and words and not spaces[-1]:
            spaces[-1] = True
            piece = piece[1:]
        if piece:
            words.append(piece)
            spaces.append(False)

    position = 0
    for start, end in document.tokens or []:
        add(document.text[position:start])
        words.append(document.text[start:end])
        spaces.append(False)
        position = end
    add(document.text[position:])
    return Doc(vocabulary(), words=words, spaces=spaces)


def sentences_of(document: Document) -> Iterator[tuple[list[tuple[int, int]], list[str]]]:
    """The places in the text and the BIOUL tags (see `Document.tags`) of the tokens of each sentence of an aligned document."""
    tokens, tags = document.tokens or [], document.tags("BIOUL")
    for start, end in document.sentences or []:
        yield tokens[start:end], tags[start:end]


def _aligned_span(doc: Doc, entity: Entity, misaligned: str, document: Document, tally: Tally) -> Optional[Span]:
    text = document.text[entity.start : entity.end]
    start = entity.start + len(text) - len(text.lstrip())
    end = start + len(text.strip())
    if end <= start:
        tally.add("spans of white space left out", document.where)
        return None
    if (start, end) != entity[1:]:
        tally.add(
            "spans with white space at their ends, cut to the text in it", f"{document.where} {reprlib.repr(text)}"
        )
    span = doc.char_span(start, end, label=entity.label)
    if span is not None:
        return span
    expanded = doc.char_span(start, end, label=entity.label, alignment_mode="expand")
    assert expanded is not None  # as the span holds text
    words = [token.text for token in expanded[:_TOKENS_SHOWN]]
    place = f"{document.where} {reprlib.repr(text)} in {words}"
    if misaligned == "error":
        raise ConfigurationError(
            f"{document.where}: the span {reprlib.repr(text)} from {entity.start} to {entity.end} cuts a token of {words}."
            ' Correct it, or have it read with `misaligned: "expand"` or "skip".'
        )
    done = "grown to them" if misaligned == "expand" else "left out"
    tally.add(f"spans that cut tokens, {done}", place)
    return expanded if misaligned == "expand" else None


def _in_doc(document: Document, doc: Doc) -> list[tuple[int, int]]:
    """The given sentences in tokens of `doc`, each from its first token to that of the next."""
    indices = {(token.idx, token.idx + len(token)): token.i for token in doc}
    tokens = document.tokens or []
    starts = [indices[tokens[start]] for start, end in document.sentences or [] if start < end]
    return list(zip([0, *starts[1:]], [*starts[1:], len(doc)], strict=True)) if starts else []


def _joined(sentences: list[tuple[int, int]], spans: list[Span]) -> list[tuple[int, int]]:
    """Sentences between which no span is cut."""
    cut = {index for span in spans for index in range(span.start + 1, span.end)}
    starts = [start for start, _ in sentences if start not in cut]
    return list(zip(starts, [*starts[1:], sentences[-1][1]], strict=True)) if sentences else []


def _renumbered(sentences: list[tuple[int, int]], numbers: dict[int, int]) -> list[tuple[int, int]]:
    """In numbers of the tokens that stay, without the sentences that lose all of theirs."""
    stay = sorted(numbers)
    ranges = [(bisect_left(stay, start), bisect_left(stay, end)) for start, end in sentences]
    return [(start, end) for start, end in ranges if start < end]
