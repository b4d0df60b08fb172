"""A text with its entities, as all formats of annotation tools are read and written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.tag_schemes import UNKNOWN, Span, from_spans, unknown_tokens, whole_spans
from roseq_allennlp.errors import ConfigurationError

PLACES_SHOWN = 3


class Entity(NamedTuple):
    """An entity: its type and its characters `[start, end)`, in Unicode code points of the text."""

    label: str
    start: int
    end: int


@dataclass
class Document:
    """
    # Parameters

    text : `str`
    entities : `List[Entity]`
    tokens : `List[Tuple[int, int]]`, optional (default = none are given)
        Characters `[start, end)` of each token, in order.
    sentences : `List[Tuple[int, int]]`, optional (default = none are given)
        Tokens `[start, end)` of each sentence.
    where : `str`
        File and line, or row, for messages.
    other : `Dict[str, Any]`
        What else the row held, to be written back by formats that have rows.
    unknown : `List[Tuple[int, int]]`
        Characters `[start, end)`, in order, where it is not known whether there is an entity, unless one of `entities` is
        there.
    """

    text: str
    entities: list[Entity] = field(default_factory=list)
    tokens: Optional[list[tuple[int, int]]] = None
    sentences: Optional[list[tuple[int, int]]] = None
    where: str = ""
    other: dict[str, Any] = field(default_factory=dict)
    unknown: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def from_tags(
        cls, words: Sequence[str], tags: Sequence[str], scheme: str, tally: "Tally", **more: Any
    ) -> "Document":
        """
        A sentence of words with their tags. An entity that goes on into an unknown tag, which a document cannot hold, is
        unknown as a whole.
        """
        document = cls.from_words(words, whole_spans(tags, scheme), **more)
        document.sentences = [(0, len(document.words()))]
        document.set_unknown(tags, scheme, tally)
        return document

    @classmethod
    def from_words(cls, words: Iterable[str], spans: Iterable[Span] = (), **more: Any) -> "Document":
        """A document of words with single spaces between them; `spans` are entities in words."""
        words = list(words)
        tokens, position = [], 0
        for word in words:
            tokens.append((position, position + len(word)))
            position += len(word) + 1
        entities = [Entity(span.label, tokens[span.start][0], tokens[span.end - 1][1]) for span in spans]
        return cls(" ".join(words), entities, tokens, **more)

    def words(self) -> list[str]:
        """The text of each token, of which there must be some."""
        return [self.text[start:end] for start, end in self.tokens or []]

    def set_unknown(self, tags: Sequence[str], scheme: str, tally: "Tally") -> None:
        """Adds what is unknown by the tags of the last tokens, and counts the entities among them."""
        tokens = (self.tokens or [])[-len(tags) :]
        for index in unknown_tokens(tags, scheme):
            self.unknown.append(tokens[index])
            if tags[index] != UNKNOWN:
                tally.add("tags of entities that go on into an unknown one, unknown too", f"{self.where} {tags[index]}")

    def unmarked(self) -> tuple[bool, bool]:
        """Whether some text in no entity, white space apart, is known to be in none, and whether some is unknown."""
        marks = bytearray(len(self.text))
        for mark, ranges in ((1, self.unknown), (2, [entity[1:] for entity in self.entities])):
            for start, end in ranges:
                marks[start:end] = bytes([mark]) * (end - start)
        kinds = {mark for mark, character in zip(marks, self.text, strict=True) if not character.isspace()}
        return 0 in kinds, 1 in kinds

    def tags(self, scheme: str) -> list[str]:
        """The tag of each token: `?` where one that is in no entity is unknown."""
        tokens = self.tokens or []
        tags = from_spans(self.token_spans(), len(tokens), scheme)
        for index in overlapping(tokens, self.unknown):
            if tags[index] == "O":
                tags[index] = UNKNOWN
        return tags

    def tagged(self) -> tuple[list[str], list[str], list[tuple[int, int]]]:
        """The text and the IOB2 tag (see `tags`) of each token, and the sentences; all tokens are one where none are given."""
        words = self.words()
        return words, self.tags("IOB2"), self.sentences or [(0, len(words))]

    def token_spans(self) -> list[Span]:
        """
        The entities as spans of `tokens`, in order.

        # Raises

        `ConfigurationError`: an entity that does not begin and end with a token, see `alignment.aligned`.
        """
        starts = {start: index for index, (start, _) in enumerate(self.tokens or [])}
        ends = {end: index + 1 for index, (_, end) in enumerate(self.tokens or [])}
        spans = []
        for entity in sorted(self.entities, key=lambda entity: entity.start):
            if entity.start not in starts or entity.end not in ends:
                raise ConfigurationError(
                    f"{self.where}: the entity {self.text[entity.start : entity.end]!r} does not begin and end with a token."
                )
            spans.append(Span(entity.label, starts[entity.start], ends[entity.end]))
        return spans


def overlapping(tokens: Iterable[tuple[int, int]], ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    """The indices of the tokens that share a character with one of the ranges, all `[start, end)` and in order."""
    ranges = iter(ranges)
    current = next(ranges, None)
    for index, (start, end) in enumerate(tokens):
        while current is not None and current[1] <= start:
            current = next(ranges, None)
        if current is None:
            return
        if current[0] < end:
            yield index


def joined(parts: Sequence[Document]) -> Document:
    """One document of several that have tokens and sentences, each in a line of its own."""
    if len(parts) == 1:
        return parts[0]
    result = Document("\n".join(part.text for part in parts), [], [], [], parts[0].where)
    tokens: list[tuple[int, int]] = []
    sentences: list[tuple[int, int]] = []
    offset = 0
    for part in parts:
        result.entities += [Entity(label, start + offset, end + offset) for label, start, end in part.entities]
        result.unknown += [(start + offset, end + offset) for start, end in part.unknown]
        sentences += [(start + len(tokens), end + len(tokens)) for start, end in part.sentences or []]
        tokens += [(start + offset, end + offset) for start, end in part.tokens or []]
        offset += len(part.text) + 1
    result.tokens, result.sentences = tokens, sentences
    return result


class Tally:
    """Counts what was left out or changed while a file was read, with the first places."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def add(self, what: str, where: str) -> None:
        """`what` is a plural, such as `overlapping spans left out`."""
        self.counts[what] += 1
        places = self._places.setdefault(what, [])
        if len(places) < PLACES_SHOWN:
            places.append(where)

    def __str__(self) -> str:
        """Each count with its first places; empty if nothing was counted."""
        return "; ".join(f"{what}: {count}, at {', '.join(self._places[what])}" for what, count in self.counts.items())
