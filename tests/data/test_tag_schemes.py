import itertools
import random

import pytest
from allennlp.data.dataset_readers.dataset_utils import span_utils

from roseq_allennlp.data.tag_schemes import (
    UNKNOWN,
    Span,
    bioes_to_bioul,
    bioul_to_bioes,
    convert,
    detect_scheme,
    from_spans,
    invalid_positions,
    split_tag,
    to_spans,
    unknown_tokens,
    whole_spans,
)

SCHEMES = ["IOB1", "IOB2", "BIOES", "BIOUL"]
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BIOUL": "BILU"}


def all_sequences(scheme, longest):
    tags = ["O"] + [f"{prefix}-{label}" for prefix in PREFIXES[scheme] for label in ("X", "Y")]
    for length in range(longest + 1):
        yield from itertools.product(tags, repeat=length)


def conlleval_spans(tags):
    """The conditions of `conlleval`, one by one: where a chunk ends, where one starts."""
    spans, start = [], None
    before, before_type = "O", ""
    for i, tag in enumerate([*tags, "O"]):
        now, _, now_type = tag.partition("-")
        now = {"L": "E", "U": "S"}.get(now, now)
        pair = before + now
        ends = before in "ES" or pair in {"BB", "BS", "BO", "IB", "IS", "IO"}
        ends = ends or (before != "O" and before_type != now_type)
        starts = now in "BS" or pair in {"EE", "EI", "SE", "SI", "OE", "OI"}
        starts = starts or (now != "O" and before_type != now_type)
        if ends and start is not None:
            spans.append(Span(before_type, start, i))
            start = None
        if starts:
            start = i
        before, before_type = now, now_type
    return spans


def all_segmentations(length):
    """Every set of entities of two types in a sentence."""
    if length == 0:
        yield []
    for size in range(1, length + 1):
        for spans in all_segmentations(length - size):
            if size == 1:
                yield spans
            for label in ("X", "Y"):
                yield [*spans, Span(label, length - size, length)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_entities_of_any_sequence_are_those_of_conlleval(scheme):
    for tags in all_sequences(scheme, 4 if scheme in ("BIOES", "BIOUL") else 5):
        assert to_spans(tags, scheme) == conlleval_spans(tags), tags


@pytest.mark.parametrize("scheme", SCHEMES)
def test_valid_is_what_the_scheme_would_have_written(scheme):
    for tags in all_sequences(scheme, 4):
        written = from_spans(conlleval_spans(tags), len(tags), scheme)
        assert (invalid_positions(tags, scheme) == []) == (list(tags) == written), tags


@pytest.mark.parametrize("source", SCHEMES)
@pytest.mark.parametrize("target", SCHEMES)
def test_conversion_loses_nothing(source, target):
    for spans in all_segmentations(5):
        tags = from_spans(spans, 5, source)
        converted = convert(tags, source, target)
        assert to_spans(converted, target) == spans
        assert convert(converted, target, source) == tags


def test_spans_and_bioul_are_allennlps():
    generator = random.Random(0)
    for spans in generator.sample(list(all_segmentations(6)), 300):
        expected = sorted((span.label, (span.start, span.end - 1)) for span in spans)
        for scheme, read in [
            ("IOB1", span_utils.iob1_tags_to_spans),
            ("IOB2", span_utils.bio_tags_to_spans),
            ("BIOUL", span_utils.bioul_tags_to_spans),
        ]:
            assert sorted(read(from_spans(spans, 6, scheme))) == expected
        for scheme, encoding in [("IOB1", "IOB1"), ("IOB2", "BIO")]:
            tags = from_spans(spans, 6, scheme)
            assert span_utils.to_bioul(tags, encoding) == convert(tags, scheme, "BIOUL")


@pytest.mark.parametrize(
    "scheme, tags, expected",
    [
        ("IOB1", "I-A I-A B-A I-B B-C O B-A", [4, 6]),
        ("IOB2", "I-A B-A I-A I-B O I-A", [0, 3, 5]),
        ("BIOES", "B-A E-A S-A B-A O I-A E-B B-C", [3, 5, 6, 7]),
        ("BIOUL", "B-A L-A U-A L-A", [3]),
    ],
)
def test_positions_of_invalid_tags(scheme, tags, expected):
    assert invalid_positions(tags.split(), scheme) == expected


@pytest.mark.parametrize(
    "sentences, expected",
    [
        (["I-A I-A B-A O", "O I-B"], "IOB1"),
        (["I-A", "I-A", "B-A"], "IOB1"),  # a stray B
        (["B-A I-A B-A O", "O B-B"], "IOB2"),
        (["B-A I-A", "B-B O", "O I-B"], "IOB2"),  # a stray I
        (["O O"], "IOB2"),
        (["B-A I-A", "S-A"], "BIOES"),
        (["B-A L-A"], "BIOES"),
        (["B-A I-A I-A I-A"], "IOB2"),  # an I that continues is no start
        (["I-A I-A", "I-A B-A I-A"], "IOB1"),
    ],
)
def test_detected_scheme(sentences, expected):
    assert detect_scheme(tags.split() for tags in sentences) == expected


def test_an_o_has_no_type():
    assert split_tag("O") == split_tag("O", "IOB2") == ("O", "")


def test_types_may_hold_hyphens():
    assert split_tag("B-creative-work") == ("B", "creative-work")
    assert to_spans(["B-geo-loc", "I-geo-loc"], "IOB2") == [Span("geo-loc", 0, 2)]


@pytest.mark.parametrize("tag", ["", "PER", "B-", "B", "X-PER", "-PER", "b-PER", "BI-PER", "o"])
def test_a_tag_of_no_scheme_is_refused(tag):
    with pytest.raises(ValueError, match="no tag of a known scheme"):
        split_tag(tag)


def test_a_tag_of_another_scheme_is_refused():
    message = r"^'S-A' is no tag of IOB2: expected O, or one of B, I and a type \(B-PER\)$"
    for function in (to_spans, invalid_positions, lambda tags, scheme: convert(tags, scheme, "BIOES")):
        with pytest.raises(ValueError, match=message):
            function(["S-A"], "IOB2")
    with pytest.raises(ValueError, match="^unknown tag scheme 'BMES': expected one of IOB1, IOB2, BIOES, BIOUL$"):
        to_spans(["B-A"], "BMES")


@pytest.mark.parametrize("span", [Span("A", 1, 1), Span("A", 2, 4), Span("A", -1, 1), Span("A", 0, 2)])
def test_spans_that_no_tags_can_write_are_refused(span):
    with pytest.raises(ValueError, match="empty, overlaps"):
        from_spans([Span("B", 1, 2), span], 3, "IOB2")


def test_an_empty_span_alone_is_refused():
    with pytest.raises(ValueError, match="empty, overlaps"):
        from_spans([Span("A", 1, 1)], 3, "IOB2")


def test_spellings_of_bioes():
    bioes, bioul = ["B-L", "I-L", "E-L", "S-U", "O"], ["B-L", "I-L", "L-L", "U-U", "O"]
    assert bioes_to_bioul(bioes) == bioul
    assert bioul_to_bioes(bioul) == bioes
    assert to_spans(bioes, "BIOES") == to_spans(bioul, "BIOES") == to_spans(bioul, "BIOUL")


def masks(length):
    for unknown in itertools.product([False, True], repeat=length):
        yield lambda tags, unknown=unknown: [
            UNKNOWN if hidden else tag for tag, hidden in zip(tags, unknown, strict=True)
        ]


@pytest.mark.parametrize("source, target", itertools.product(SCHEMES, SCHEMES))
def test_what_is_known_of_valid_tags_is_converted_as_in_the_whole(source, target):
    """Whatever is hidden of BIOES; of the others whatever does not hide the end of an entity of which more is known."""
    length = 4
    for spans in all_segmentations(length):
        tags, whole = from_spans(spans, length, source), from_spans(spans, length, target)
        for hide in masks(length):
            hidden, expected = hide(tags), hide(whole)
            if source not in ("BIOES", "BIOUL") and any(
                UNKNOWN in hidden[s.start : s.end] and hidden[s.start : s.end] != [UNKNOWN] * (s.end - s.start)
                for s in spans
            ):
                continue
            if {source, target} & {"IOB1"} and UNKNOWN in hidden:
                # In IOB1 the first tag of an entity depends on the tag before it, which may be hidden.
                assert [tag == UNKNOWN for tag in convert(hidden, source, target)] == [t == UNKNOWN for t in hidden]
                continue
            assert invalid_positions(hidden, source) == []
            assert convert(hidden, source, target) == expected, (hidden, expected)


@pytest.mark.parametrize(
    "scheme, tags, bioul, whole",
    [
        ("IOB2", "B-X ? O", "U-X ? O", [Span("X", 0, 1)]),
        ("IOB2", "? I-X I-X O", "? I-X L-X O", []),
        ("IOB2", "B-X ? I-X", "U-X ? L-X", [Span("X", 0, 1)]),
        ("IOB2", "? B-X I-X ?", "? B-X L-X ?", [Span("X", 1, 3)]),
        ("IOB1", "? I-X ?", "? U-X ?", [Span("X", 1, 2)]),
        ("IOB1", "? B-X ?", "? U-X ?", [Span("X", 1, 2)]),
        ("BIOES", "B-X ? E-X", "B-X ? L-X", []),
        ("BIOES", "S-X ? S-X", "U-X ? U-X", [Span("X", 0, 1), Span("X", 2, 3)]),
        ("BIOES", "? I-X ?", "? I-X ?", []),
        ("BIOES", "? ? ?", "? ? ?", []),
    ],
)
def test_entities_beside_unknown_tags(scheme, tags, bioul, whole):
    tags = tags.split()
    assert convert(tags, scheme, "BIOUL") == bioul.split() and whole_spans(tags, scheme) == whole
    assert invalid_positions(tags, scheme) == []
    known = {index for span in whole for index in range(span.start, span.end)}
    assert unknown_tokens(tags, scheme) == [i for i, tag in enumerate(tags) if tag != "O" and i not in known]


def test_an_unknown_tag_makes_no_scheme():
    assert detect_scheme([["?", "I-X", "?", "I-X"], ["?"]]) == "IOB1"
    assert detect_scheme([["?", "B-X", "I-X"]]) == "IOB2"
    assert detect_scheme([["?", "S-X"]]) == "BIOES"
    with pytest.raises(ValueError, match="'[?]' is no tag"):
        split_tag(UNKNOWN)
