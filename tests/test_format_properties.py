"""
What holds for any document and any file of the formats of `data/formats`. 60 examples each in CI; `make fuzz` runs
thousands (`ROSEQ_FUZZ`) and counts them.
"""

import functools
import json
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roseq_allennlp.data.alignment import aligned
from roseq_allennlp.data.dataset_readers import SpansReader
from roseq_allennlp.data.documents import Document, Entity, Tally
from roseq_allennlp.data.formats import FORMATS, ReadOptions
from roseq_allennlp.data.tag_schemes import Span, invalid_positions, to_spans
from roseq_allennlp.data.tokenizers import SpacyTokenizer

FUZZ = int(os.environ.get("ROSEQ_FUZZ", 0))
RUN: "Counter[str]" = Counter()
TOKENIZER = SpacyTokenizer("en")


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
        Path("runs").mkdir(exist_ok=True)
        with open("runs/fuzz.txt", "a", encoding="utf-8") as file:
            file.writelines(f"{name}: {count}\n" for name, count in RUN.items())


labels = st.sampled_from(["PER", "LOC", "geo-loc", "x"])
tags = st.one_of(st.just("O"), st.just("?"), st.builds("{}-{}".format, st.sampled_from("BIESLU"), labels))
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\t \r"), min_size=1, max_size=12)
line = st.builds("{}{}{}".format, words, st.sampled_from(["\t", " "]), tags)


@st.composite
def annotated(draw, partly=False):
    """A text and entities in it, that do not overlap and begin and end with a token, and perhaps tokens of unknown tag."""
    text = draw(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n.'-😍a"), max_size=40))
    tokens = [token for token in TOKENIZER(text) if not token.is_space]
    ends = sorted(draw(st.sets(st.integers(0, len(tokens)), max_size=6)))
    entities = [
        Entity(draw(labels), tokens[start].idx, tokens[end - 1].idx + len(tokens[end - 1]))
        for start, end in zip(ends, ends[1:], strict=False)
        if draw(st.booleans())
    ]
    hidden = [(token.idx, token.idx + len(token)) for token in tokens if partly and draw(st.booleans())]
    return Document(text, entities, unknown=hidden)


@examples(0.1)
@given(annotated())
def test_text_and_spans_to_instances_and_back(tmp_path_factory, document):
    RUN["formats: text to instances and back"] += 1
    path = str(tmp_path_factory.getbasetemp() / "text.jsonl")
    FORMATS["doccano"].write([document], path)
    if not document.text.strip():
        return
    text, entities = "", []
    for instance in SpansReader(language="en", misaligned="error").read(path):
        tokens = instance["tokens"].tokens
        for token in tokens:
            text = text.ljust(token.idx) + token.text
        for label, start, end in to_spans(instance["tags"].labels, "BIOUL"):
            entities.append(Entity(label, tokens[start].idx, tokens[end - 1].idx + len(tokens[end - 1].text)))
    # All but the kind of white space.
    assert text == "".join(" " if each.isspace() else each for each in document.text).rstrip()
    assert entities == document.entities


@examples(0.1)
@given(annotated() | annotated(partly=True), st.sampled_from(sorted(FORMATS)))
def test_documents_survive_every_format(tmp_path_factory, document, name):
    RUN["formats: written and read"] += 1
    document = aligned(document, TOKENIZER, "error", Tally())
    words = document.words()
    if not words or any(word.startswith(("\ufeff", "-DOCSTART-")) for word in words):
        return
    path = Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp())) / f"file{FORMATS[name].extension}"
    tags = document.tags("IOB2")
    refusing = {"doccano": "O" in tags, "prodigy": True, "label-studio": True, "brat": True}
    if "?" in tags and refusing.get(name):
        with pytest.raises(ConfigurationError, match="unknown"):
            FORMATS[name].write([document], str(path))
        return
    FORMATS[name].write([document], str(path))
    tally = Tally()
    options = ReadOptions(columns={"separator": "\t", "tag_scheme": "IOB2"})
    again = list(FORMATS[name].read(str(path), options, tally))
    shutil.rmtree(path.parent)
    assert not tally.counts
    if name in ("doccano", "hf", "conllu", "columns"):
        assert [tag for each in again for tag in aligned(each, TOKENIZER, "error", Tally()).tags("IOB2")] == tags
    if name in ("doccano", "prodigy", "label-studio", "brat", "spacy"):
        assert [(each.text, each.entities) for each in again] == [(document.text, document.entities)]
    if name in ("prodigy", "spacy", "hf", "conllu", "columns"):
        found, spans = [], []
        for each in again:
            spans += [(span.label, span.start + len(found), span.end + len(found)) for span in each.token_spans()]
            found += each.words()
        if name == "spacy":
            assert [word for word in found if not word.isspace()] == words
            assert aligned(again[0], TOKENIZER, "error", Tally()).tags("IOB2") == tags
        else:
            assert (found, spans) == (words, [tuple(span) for span in document.token_spans()])


pieces = st.sampled_from(
    [
        "T1\tPER 0 3\tAnn",
        "T2\tX 0 1;2 3\ta b",
        "R1\tA Arg1:T1",
        "1\tAnn" + "\t_" * 7 + "\tNER=B-X",
        "# newdoc",
        "[",
        "]",
        "{}",
        "",
    ]
)
keys = st.sampled_from(
    [
        "text",
        "data",
        "partial",
        "label",
        "labels",
        "entities",
        "spans",
        "tokens",
        "ner_tags",
        "answer",
        "annotations",
        "result",
        "value",
    ]
    + ["start", "end", "start_offset", "end_offset", "completed_by", "id", "annotator", "type"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["B-X", "O", "X"])
)
exports = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=16
)
whole_rows = st.fixed_dictionaries(
    {"text": st.text(max_size=6) | exports},
    optional={
        "label": st.lists(
            st.tuples(st.integers(-1, 7), st.integers(-1, 7), st.sampled_from(["X", "a b", ""])), max_size=3
        )
        | exports,
        "spans": st.lists(
            st.fixed_dictionaries({"start": st.integers(-1, 7), "end": st.integers(-1, 7), "label": labels}), max_size=3
        ),
        "tokens": st.lists(st.fixed_dictionaries({"start": st.integers(0, 7), "end": st.integers(0, 7)}), max_size=3)
        | st.lists(words),
        "ner_tags": st.lists(st.integers(0, 2) | tags, max_size=3),
        "answer": st.sampled_from(["accept", "reject", 3]),
    },
)
contents = st.one_of(
    st.binary(max_size=120),
    st.lists(st.one_of(pieces, line), max_size=8).map("\n".join),
    st.lists(st.one_of(whole_rows, exports), max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows))),
    st.one_of(exports, st.lists(st.one_of(whole_rows, exports), max_size=3)).map(json.dumps),
).map(lambda content: content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))


@st.composite
def damaged(draw):
    """A file of one of the binary formats with some bytes changed."""
    name = draw(st.sampled_from(["a.spacy", "a.parquet", "a.jsonl.gz"]))
    data = bytearray(binary_file(name))
    for position in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
        data[position] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@functools.cache
def binary_file(name):
    with tempfile.TemporaryDirectory() as directory:
        document = Document.from_words(["Ann", "Lee", "ran"], [Span("PER", 0, 2)])
        FORMATS["spacy" if name == "a.spacy" else "hf"].write([document], f"{directory}/{name}")
        return Path(directory, name).read_bytes()


@examples(0.8)
@given(
    contents | damaged(), st.sampled_from([None, *FORMATS]), st.sampled_from(["expand", "skip", "error"]), st.booleans()
)
def test_any_export_is_read_or_refused_by_name(tmp_path_factory, content, name, misaligned, is_utf16):
    RUN["formats: any file"] += 1
    path = tmp_path_factory.getbasetemp() / "any_export"
    if name == "brat":
        path = tmp_path_factory.getbasetemp() / "any_brat"
        path.mkdir(exist_ok=True)
        (path / "a.txt").write_bytes(content[:20])
        (path / "a.ann").write_bytes(content)
    else:
        path.write_bytes(content)
    reader = SpansReader(name, misaligned, offsets="utf16" if is_utf16 else "code_points", labels=["O", "B-X", "I-X"])
    try:
        instances = list(reader.read(str(path)))
    except ConfigurationError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return
    for instance in instances:
        found = instance["tags"].labels
        assert len(found) == len(instance["metadata"]["words"]) and not invalid_positions(found, "BIOUL")
        assert all(map(str.strip, instance["metadata"]["words"]))
