"""
Entity tags: schemes, their validation and repair, and the way from tags to spans and back.

`UNKNOWN` may stand in place of a tag: the token has any tag. An entity ends before it and begins after it, as at an O, unless
a tag says that it goes on: in BIOES a `B` or `I` before it and an `I` or `E` after it, in IOB2 an `I` after it.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

SOURCE_SCHEMES = ("IOB1", "IOB2", "BIOES")
"""
What files are written in. Other spellings of BIOES: AllenNLP's `BIOUL` has L for E and U for S, BMES M for I, and BMEWO W
for S.
"""

_PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIESLUMW", "BIOUL": "BIESLU"}
_CLOSING = {
    "BIOES": ("S", "E"),
    "BIOUL": ("U", "L"),
}  # the prefix of an entity of one token, and of the last of several
_TO_BIOES = {"U": "S", "L": "E", "M": "I", "W": "S"}
_TO_BIOUL = {"S": "U", "E": "L"}


UNKNOWN = "?"


class Span(NamedTuple):
    """An entity: its type and its tokens `[start, end)`."""

    label: str
    start: int
    end: int


@functools.lru_cache(maxsize=4096)
def split_tag(tag: str, scheme: Optional[str] = None) -> tuple[str, str]:
    """
    Splits at the first `-`, since types hold some too: `B-creative-work` is `("B", "creative-work")`, `O` is `("O", "")`.

    # Raises

    `ValueError`: the type is missing, or `scheme` (any scheme, if that is left out) has no such prefix.
    """
    if tag == "O":
        return "O", ""
    prefix, _, label = tag.partition("-")
    known = _known_prefixes(scheme or "BIOES")
    if not label or len(prefix) != 1 or prefix not in known:
        raise ValueError(
            f"{tag!r} is no tag of {scheme or 'a known scheme'}: expected O, or one of {', '.join(known)} and a type"
            " (B-PER)"
        )
    return prefix, label


def _known_prefixes(scheme: str) -> str:
    if scheme not in _PREFIXES:
        raise ValueError(f"unknown tag scheme {scheme!r}: expected one of {', '.join(_PREFIXES)}")
    return _PREFIXES[scheme]


def _parse(tags: Iterable[str], scheme: str) -> list[tuple[str, str]]:
    """Splits the tags and writes the prefixes of other spellings as those of BIOES; that of an unknown tag is `?`."""
    pairs = ((UNKNOWN, "") if tag == UNKNOWN else split_tag(tag, scheme) for tag in tags)
    return [(_TO_BIOES.get(prefix, prefix), label) for prefix, label in pairs]


def invalid_positions(tags: Sequence[str], scheme: str) -> list[int]:
    """
    The positions of tags that break the scheme. IOB1: a `B` that does not directly follow an entity of its type.
    IOB2: an `I` that continues nothing of its type. BIOES and BIOUL: an `I` or `E` that continues nothing of its type,
    and a `B` or `I` that nothing of its type continues. Beside an unknown tag all that some tag in its place allows is
    valid.
    """
    pairs = _parse(tags, scheme)
    invalid = set()
    for i, (prefix, label) in enumerate(pairs):
        previous, previous_label = pairs[i - 1] if i else ("O", "")
        if previous == UNKNOWN:
            broken = False
        elif scheme == "IOB1":
            broken = prefix == "B" and previous_label != label
        elif scheme == "IOB2":
            broken = prefix == "I" and previous_label != label
        else:
            opened = previous in "BI"
            continues = opened and (prefix in "IE" and previous_label == label or prefix == UNKNOWN)
            broken = prefix in "IE" and not continues
            if opened and not continues:
                invalid.add(i - 1)
        if broken:
            invalid.add(i)
    if scheme in ("BIOES", "BIOUL") and pairs and pairs[-1][0] in "BI":
        invalid.add(len(pairs) - 1)
    return sorted(invalid)


def detect_scheme(sentences: Iterable[Sequence[str]]) -> str:
    """
    BIOES if any tag has a prefix other than `B` and `I`. Otherwise IOB1 if more entities start with `I` than with a `B` that
    IOB1 would not have written (one that does not directly follow an entity of its type), else IOB2. So a stray `I`
    or two leaves an IOB2 file IOB2, and a stray `B` an IOB1 file IOB1.
    """
    i_starts = b_starts = 0
    for tags in sentences:
        previous = ""
        for tag in tags:
            prefix, label = ("O", "") if tag == UNKNOWN else split_tag(tag)
            if prefix not in "OBI":
                return "BIOES"
            i_starts += prefix == "I" and label != previous
            b_starts += prefix == "B" and label != previous
            previous = label
    return "IOB1" if i_starts > b_starts else "IOB2"


def to_spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """
    Every sequence of tags has entities; this is what repairs an invalid one, by the rules of `conlleval`:

    1. `B` (and, in BIOES, `S`) starts an entity.
    2. `I` (and `E`) continues the entity before it. After `O`, at the start of the sentence, or after another type, it
       starts one.
    3. In BIOES, an `I` or `E` directly after an `S` or `E` starts an entity, even of the same type.
    4. An entity lasts until one starts, or an `O` or an unknown tag comes.

    # Raises

    `ValueError`: the scheme has no such tag.
    """
    spans: list[Span] = []
    previous = "O"
    for i, (prefix, label) in enumerate(_parse(tags, scheme)):
        if prefix not in ("O", UNKNOWN):
            continues = prefix in "IE" and previous in "BI" and spans[-1].label == label
            if continues:
                spans[-1] = spans[-1]._replace(end=i + 1)
            else:
                spans.append(Span(label, i, i + 1))
        previous = prefix
    return spans


def from_spans(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """
    The tags of a sentence of `length` tokens.

    # Raises

    `ValueError`: a span that is empty, overlaps another or leaves the sentence.
    """
    _known_prefixes(scheme)
    tags = ["O"] * length
    previous = Span("", 0, 0)
    for span in sorted(spans, key=lambda span: span.start):
        label, start, end = span
        if not previous.end <= start < end <= length:
            raise ValueError(f"{span} is empty, overlaps {previous} or leaves a sentence of {length} tokens")
        inside = "I" * (end - start - 2)
        if scheme in _CLOSING:
            single, last = _CLOSING[scheme]
            prefixes = single if end - start == 1 else "B" + inside + last
        else:
            adjacent = previous.label == label and previous.end == start
            first = "I" if scheme == "IOB1" and not adjacent else "B"
            prefixes = first if end - start == 1 else first + inside + "I"
        tags[start:end] = [f"{prefix}-{label}" for prefix in prefixes]
        previous = span
    return tags


def convert(tags: Sequence[str], source: str, target: str) -> list[str]:
    """
    From one scheme to another: without loss if the tags are valid, repaired as in `to_spans` if not. Unknown tags stay, and
    entities that go on into them do where the target can say so.
    """
    spans = to_spans(tags, source)
    converted = from_spans(spans, len(tags), target)
    if UNKNOWN in tags:
        for span in spans:
            before, after = _goes_on(tags, span, source)
            # One token more on that side, whose tag is then that of the unknown one.
            longer = Span(span.label, 0, before + span.end - span.start + after)
            converted[span.start : span.end] = from_spans([longer], longer.end, target)[before : longer.end - after]
        converted = [UNKNOWN if tag == UNKNOWN else new for tag, new in zip(tags, converted, strict=True)]
    return converted


def whole_spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The entities of `to_spans` without those that go on into an unknown tag, whose ends are not known."""
    spans = to_spans(tags, scheme)
    return [span for span in spans if not any(_goes_on(tags, span, scheme))] if UNKNOWN in tags else spans


def unknown_tokens(tags: Sequence[str], scheme: str) -> list[int]:
    """The tokens that are neither O nor in an entity of `whole_spans`."""
    if UNKNOWN not in tags:
        return []
    whole = {index for span in whole_spans(tags, scheme) for index in range(span.start, span.end)}
    return [index for index, tag in enumerate(tags) if tag != "O" and index not in whole]


def _goes_on(tags: Sequence[str], span: Span, scheme: str) -> tuple[bool, bool]:
    """Whether an entity goes on into an unknown tag before it and after it."""
    first, last = (prefix for prefix, _ in _parse((tags[span.start], tags[span.end - 1]), scheme))
    before = tags[max(span.start - 1, 0)] == UNKNOWN and first in "IE" and scheme != "IOB1"
    after = UNKNOWN in tags[span.end : span.end + 1] and last in "BI" and scheme not in ("IOB1", "IOB2")
    return before, after


def bioul_to_bioes(tags: Iterable[str]) -> list[str]:
    """BIOES in its own spelling: L is E, U is S."""
    return [_TO_BIOES.get(tag[:1], tag[:1]) + tag[1:] for tag in tags]


def bioes_to_bioul(tags: Iterable[str]) -> list[str]:
    """The other spelling of the same tags: E is L, S is U."""
    return [_TO_BIOUL.get(tag[:1], tag[:1]) + tag[1:] for tag in tags]
