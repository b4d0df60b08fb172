"""CoNLL-U with entities: ten columns and comments, the tag of a word in MISC, as `NER=B-PER`, `NE=…`, `name=…` or alone."""

import itertools
import re
import reprlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from roseq_allennlp.data.documents import Document, Entity, Tally
from roseq_allennlp.data.formats.checks import checked_label
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import text_lines, writing
from roseq_allennlp.data.tag_schemes import UNKNOWN, detect_scheme, invalid_positions, split_tag, whole_spans
from roseq_allennlp.errors import ConfigurationError

_COLUMNS = 10
_TAG = re.compile(r"(?:(?:NER|NE|name)=)?(O|[A-Z]-\S+|(?<==)\?)", re.IGNORECASE)


class _Sentence(NamedTuple):
    words: list[str]
    spaces: list[bool]  # whether one follows
    tags: list[str]
    where: str
    begins_document: bool


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """
    See `Format`. Sentences after a comment `# newdoc` are a document; without such comments each sentence is one. Words
    of a multiword token and empty nodes have no text of their own: the token stands for its words.
    """
    unmarked = UNKNOWN if options.assume_unmarked == "unknown" else "O"
    scheme = detect_scheme(sentence.tags for sentence in _sentences(path, unmarked))
    document: Optional[Document] = None
    grouped = False
    for sentence in _sentences(path, unmarked):
        grouped = grouped or sentence.begins_document
        if document is not None and (sentence.begins_document or not grouped):
            yield document
            document = None
        if document is None:
            document = Document("", [], [], [], sentence.where)
        for position in invalid_positions(sentence.tags, scheme):
            tally.add(f"invalid {scheme} tags repaired", f"{sentence.where} {sentence.tags[position]}")
        _append(document, sentence, scheme, tally)
    if document is not None:
        yield document


def _append(document: Document, sentence: _Sentence, scheme: str, tally: Tally) -> None:
    tokens = document.tokens = document.tokens or []
    first = len(tokens)
    text = document.text + ("\n" if document.text else "")
    for word, space in zip(sentence.words, sentence.spaces, strict=True):
        tokens.append((len(text), len(text) + len(word)))
        text += word + " " * space
    document.text = text.removesuffix(" ") if sentence.spaces[-1] else text
    document.sentences = [*(document.sentences or []), (first, len(tokens))]
    document.set_unknown(sentence.tags, scheme, tally)
    for span in whole_spans(sentence.tags, scheme):
        start, end = tokens[first + span.start][0], tokens[first + span.end - 1][1]
        document.entities.append(Entity(span.label, start, end))


def _sentences(path: str, unmarked: str) -> Iterator[_Sentence]:
    sentence = _Sentence([], [], [], "", False)
    begins_document = is_tagged = False
    covered = 0  # the last word that stands in a token before it
    for number, line in itertools.chain(text_lines(path), [(0, "")]):
        if not line.strip():
            if sentence.words:
                yield sentence
                sentence, begins_document = _Sentence([], [], [], "", False), False
            covered = 0
            continue
        if line.startswith("#"):
            begins_document = begins_document or re.match(r"#\s*newdoc\b", line) is not None
            continue
        where = f"{path}, line {number}"
        columns = line.split("\t")
        if len(columns) != _COLUMNS:
            raise ConfigurationError(
                f"{where}: {len(columns)} columns between tabs, CoNLL-U has {_COLUMNS}. Other columns are read by the format"
                " `columns`."
            )
        if not columns[1].strip():
            raise ConfigurationError(f"{where}: the token in {reprlib.repr(line)} is empty.")
        index = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9})|\.[0-9]+)?", columns[0])
        if index is None:
            raise ConfigurationError(f"{where}: expected the number of a word, got {reprlib.repr(columns[0])}.")
        tag, space = _misc(columns[9], where)
        is_tagged = is_tagged or tag is not None
        if "." in columns[0]:
            continue  # an empty node
        if int(index[1]) <= covered:  # in a multiword token, which has the first tag of its words
            if sentence.tags[-1] in ("O", UNKNOWN) and tag:
                sentence.tags[-1] = tag
            continue
        covered = int(index[2] or 0)
        if not sentence.words:
            sentence = _Sentence([], [], [], where, begins_document)
        sentence.words.append(columns[1])
        sentence.spaces.append(space)
        sentence.tags.append(tag or unmarked)
    if not is_tagged:
        raise ConfigurationError(
            f"{path}: no word has a tag in its column MISC, such as NER=B-PER. Another column is read by the format `columns`."
        )


def _misc(misc: str, where: str) -> tuple[Optional[str], bool]:
    """The tag, if there is one, and whether a space follows the word."""
    features = misc.split("|")
    match = next((match for feature in features if (match := _TAG.fullmatch(feature))), None)
    if match is None:
        return None, "SpaceAfter=No" not in features
    try:
        if match[1] != UNKNOWN:
            split_tag(checked_label(match[1], where))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}.") from error
    return match[1], "SpaceAfter=No" not in features


def write(documents: Iterable[Document], output: Output) -> None:
    """
    See `Format`. Tags are IOB2, as `NER=…` in MISC. A document of several sentences begins with `# newdoc`, and so do all
    after it. White space other than a single space is not kept.
    """
    grouped = False
    with writing(output) as file:
        for document in documents:
            words, tags, sentences = document.tagged()
            grouped = grouped or len(sentences) > 1
            for number, (start, end) in enumerate(sentences):
                if grouped and number == 0:
                    file.write("# newdoc\n")
                last = (document.tokens or [])[end - 1][1]
                text = document.text[(document.tokens or [])[start][0] : last]
                file.write(f"# text = {' '.join(text.split())}\n")
                for index in range(start, end):
                    file.write(_line(document, index, index - start + 1, words[index], tags[index]))
                file.write("\n")


def _line(document: Document, index: int, number: int, word: str, tag: str) -> str:
    if re.search(r"[\t\r\n]", word) or re.search(r"[\s|]", tag):
        raise ConfigurationError(
            f"{document.where}: the token {word!r} or its tag {tag!r} holds what CoNLL-U cannot hold: a tab, a line end, or in a"
            " tag a space or `|`."
        )
    tokens = document.tokens or []
    is_last = index + 1 == len(tokens)
    misc = f"NER={tag}" + ("|SpaceAfter=No" if not is_last and tokens[index][1] == tokens[index + 1][0] else "")
    return "\t".join([str(number), word, *["_"] * 7, misc]) + "\n"
