"""What holds for any input. 60 examples each in CI; `make fuzz` runs thousands (`ROSEQ_FUZZ`) and counts them."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roseq_allennlp.data.dataset_readers import ColumnReader, WnutReader
from roseq_allennlp.data.tag_schemes import (
    SOURCE_SCHEMES,
    Span,
    bioul_to_bioes,
    convert,
    from_spans,
    invalid_positions,
    to_spans,
)
from roseq_allennlp.scoring.conlleval import Score, entities, score

FUZZ = int(os.environ.get("ROSEQ_FUZZ", 0))
RUN: "Counter[str]" = Counter()
SCHEMES = (*SOURCE_SCHEMES, "BIOUL")


def examples(share: float):
    """A part of `ROSEQ_FUZZ`, the number of examples of all properties together."""
    return settings(
        max_examples=int(share * FUZZ) or 60,
        deadline=None,
        derandomize=not FUZZ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module", autouse=True)
def counts():
    yield
    if FUZZ:
        lines = [f"{name}: {count}" for name, count in RUN.items()]
        Path("runs").mkdir(exist_ok=True)
        Path("runs/fuzz.txt").write_text("\n".join([*lines, f"all: {sum(RUN.values())}\n"]))


labels = st.sampled_from(["PER", "LOC", "geo-loc", "x"])
tags = st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BIESLU"), labels))
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\t \r"), min_size=1, max_size=12)


@st.composite
def spans_of(draw):
    """A length, and entities within it that do not overlap."""
    length = draw(st.integers(0, 12))
    ends = sorted(draw(st.sets(st.integers(0, length), max_size=length + 1)))
    found = [Span(draw(labels), start, end) for start, end in zip(ends, ends[1:], strict=False) if draw(st.booleans())]
    return length, found


@examples(0.15)
@given(spans_of(), st.sampled_from(SCHEMES), st.sampled_from(SCHEMES))
def test_spans_survive_every_scheme(spans, scheme, other):
    RUN["tag schemes: spans"] += 1
    length, found = spans
    written = from_spans(found, length, scheme)
    assert len(written) == length and not invalid_positions(written, scheme)
    assert to_spans(written, scheme) == found
    there = convert(written, scheme, other)
    assert to_spans(there, other) == found
    assert convert(there, other, scheme) == written


@examples(0.1)
@given(st.lists(st.one_of(tags, st.text(max_size=4)), max_size=10), st.sampled_from(SCHEMES))
def test_any_tags_are_repaired_or_refused(sequence, scheme):
    RUN["tag schemes: repair"] += 1
    try:
        repaired = convert(sequence, scheme, scheme)
    except ValueError:
        return
    assert len(repaired) == len(sequence) and not invalid_positions(repaired, scheme)
    assert convert(repaired, scheme, scheme) == repaired


@st.composite
def scored(draw):
    """Valid gold tags and any predicted ones of one scheme."""
    scheme = draw(st.sampled_from(SCHEMES))
    prefixes = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BIOUL": "BIUL"}[scheme]
    any_tag = st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from(prefixes), labels))
    pairs = []
    for length, found in draw(st.lists(spans_of(), max_size=4)):
        predicted = draw(st.lists(any_tag, min_size=length, max_size=length))
        pairs.append(list(zip(from_spans(found, length, scheme), predicted, strict=True)))
    return pairs


@examples(0.15)
@given(scored(), st.integers(0, 4))
def test_scores_are_those_of_sets(sentences, cut):
    RUN["scoring"] += 1
    gold = [[each[0] for each in sentence] for sentence in sentences]
    predicted = [[each[1] for each in sentence] for sentence in sentences]
    result = score(gold, predicted)
    ours, theirs = (
        {(number, *span) for number, sentence in enumerate(side) for span in entities(sentence)}
        for side in (gold, predicted)
    )
    assert result.overall == (len(ours & theirs), len(theirs), len(ours))
    assert 0 <= result.overall.f1 <= 100 and 0 <= result.accuracy <= 100
    assert sum([score(gold[:cut], predicted[:cut]), score(gold[cut:], predicted[cut:])], Score()) == result
    assert score(predicted, gold).overall.recall == result.overall.precision


line = st.one_of(
    st.builds("{}{}{}".format, words, st.sampled_from(["\t", " ", "  ", "\u00a0", ","]), tags),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            " ",
            "-DOCSTART- O",
            "# id = 1",
            "a\tb\tc\tO",
            "\ufeffa\tO",
            "a\tO\r",
            "\u2028\tO",
            "\x00\tO",
            '",",O',
            '"a,O',
            ",O",
        ]
    ),
)
files = st.one_of(
    st.binary(max_size=200),
    st.lists(line, max_size=12).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")),
    st.lists(line, max_size=12).map(lambda lines: "\r\n".join(lines).encode("utf-16", "surrogatepass")),
    st.lists(line, max_size=12).map(lambda lines: gzip.compress("\n".join(lines).encode("cp1252", "ignore"), mtime=0)),
    st.tuples(st.binary(max_size=60), st.integers(0, 9)).map(lambda cut: gzip.compress(*cut[:1], mtime=0)[: -cut[1]]),
    st.tuples(
        st.sampled_from([b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\x1f\x8b", b"\xef\xbb\xbf", b"PK\3\4"]),
        st.binary(max_size=40),
    ).map(b"".join),
)
options = st.fixed_dictionaries(
    {"max_length": st.sampled_from([None, 1, 3])},
    optional={
        "on_bad_line": st.sampled_from(["error", "skip"]),
        "comment_prefix": st.sampled_from(["#", "# "]),
        "quoting": st.just("csv"),
        "sentence_column": st.just(2),
        "tag_map": st.just({"a": "O"}),
        "encoding": st.sampled_from(["utf-8", "utf-16", "cp1252", "gb18030"]),
    },
)


@examples(0.3)
@given(files, st.sampled_from([WnutReader, ColumnReader]), options)
def test_any_file_is_read_or_refused_by_name(tmp_path_factory, content, reader, options):
    RUN["readers: any file"] += 1
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        instances = list(reader(**options).read(str(path)))
    except ConfigurationError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return
    assert instances
    for instance in instances:
        found = instance["tags"].labels
        assert len(found) == len(instance["metadata"]["words"]) <= (options["max_length"] or len(found))
        assert not invalid_positions(found, "BIOUL") and all(instance["metadata"]["words"])


@examples(0.15)
@given(
    st.lists(st.lists(words, min_size=1, max_size=5), min_size=1, max_size=5),
    st.data(),
    st.sampled_from(SOURCE_SCHEMES),
    st.sampled_from(["\t", " "]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(tmp_path_factory, sentences, data, scheme, separator, end):
    RUN["readers: written files"] += 1
    sentences = [
        [word for word in sentence if word != "-DOCSTART-" and not word.startswith("\ufeff")] for sentence in sentences
    ]
    sentences = [sentence for sentence in sentences if sentence] or [["a"]]
    gold = [
        convert([data.draw(st.sampled_from(["O", "B-x", "I-x"])) for _ in each], "IOB2", "BIOES") for each in sentences
    ]
    path = tmp_path_factory.getbasetemp() / "written"
    written = [
        "".join(
            f"{word}{separator}{tag}{end}" for word, tag in zip(sentence, convert(each, "BIOES", scheme), strict=True)
        )
        for sentence, each in zip(sentences, gold, strict=True)
    ]
    path.write_bytes(end.join(written).encode())
    instances = list(ColumnReader(separator=separator, tag_scheme=scheme).read(str(path)))
    assert [instance["metadata"]["words"] for instance in instances] == sentences
    assert [bioul_to_bioes(instance["tags"].labels) for instance in instances] == gold


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sentence", "tokens", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
inputs = st.one_of(
    texts.map(lambda text: {"sentence": text}),
    st.lists(words, max_size=8).map(lambda tokens: {"tokens": tokens}),
    json_values,
    texts.map(lambda text: {"sentence": text * 40}),
)


@examples(0.15)
@given(st.lists(inputs, min_size=1, max_size=4))
def test_any_input_is_tagged_or_has_an_error(tagger, batch):
    RUN["prediction"] += len(batch)
    answers = tagger.predict_batch_json(batch)
    assert len(answers) == len(batch)
    for item, answer in zip(batch, answers, strict=True):
        json.dumps(answer)
        if "error" in answer:
            assert answer.keys() == {"error"} and answer["error"]
            continue
        assert len(answer["tags"]) == len(answer["words"]) and not invalid_positions(answer["tags"], "BIOES")
        text = item["sentence"] if "sentence" in item else " ".join(item["tokens"])
        assert "".join("".join(answer["words"]).split()) == "".join(text.split())
        found = [(each["label"], each["start_token"], each["end_token"]) for each in answer["entities"]]
        assert found == [tuple(span) for span in to_spans(answer["tags"], "BIOES")]
        for entity in answer["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"] and 0 <= entity["probability"] <= 1
    alone = tagger.predict_batch_json(batch[:1])[0]
    assert alone.get("tags") == answers[0].get("tags")
