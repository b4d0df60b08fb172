import importlib.util
import inspect
import json
import logging

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import ensure_list
from allennlp.data import DatasetReader

from roseq_allennlp.data import dataset_readers
from roseq_allennlp.data.dataset_readers import spans_reader

DOCCANO = [
    {"text": "Ann's in New York.\n\nBob", "label": [[0, 3, "PER"], [9, 17, "LOC"], [20, 23, "PER"]]},
    {"text": "  \n", "label": []},
]
SENTENCES = [
    (["Ann", "'s", "in", "New", "York", "."], ["U-PER", "O", "O", "B-LOC", "L-LOC", "O"]),
    (["Bob"], ["U-PER"]),
]


@pytest.fixture
def write(tmp_path):
    def write(rows, name="data.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(tmp_path / name)

    return write


def build(**params):
    return DatasetReader.from_params(Params({"type": "spans", "language": "en", **params}))


def read(path, **params):
    return [(list(instance["metadata"]["words"]), instance["tags"].labels) for instance in build(**params).read(path)]


def refused(path, **params):
    with pytest.raises(ConfigurationError) as caught:
        read(path, **params)
    return str(caught.value)


def test_instances(write):
    instances = ensure_list(build().read(write(DOCCANO)))
    assert [(instance["metadata"]["words"], instance["tags"].labels) for instance in instances] == SENTENCES
    assert [token.idx for token in instances[0]["tokens"]] == [0, 3, 6, 9, 13, 17]
    assert instances[1]["tokens"].tokens[0].idx == 20


def test_what_all_readers_share(write):
    path = write(DOCCANO * 2)
    assert [len(words) for words, _ in read(path, max_length=4)] == [3, 3, 1] * 2
    assert len(read(path, max_instances=3)) == 3
    assert len(read(path, split_sentences=False)) == 2
    instance = build(token_indexers={"tokens": {"type": "folded_words"}}).text_to_instance(["a"])
    assert "tags" not in instance.fields


def test_one_warning_for_a_file_has_the_counts(write, caplog):
    rows = [{"text": "Paris Lyon", "label": [[1, 5, "LOC"], [0, 10, "LOC"], [1, 3, "X"]]}] * 5
    path = write(rows)
    with caplog.at_level(logging.WARNING):
        assert read(path) == [(["Paris", "Lyon"], ["B-LOC", "L-LOC"])] * 5
    (record,) = caplog.records
    assert record.name == spans_reader.__name__ and record.levelname == "WARNING"
    assert record.message.startswith(
        f"{path}: spans that cut tokens, grown to them: 10, at {path}, line 1 'aris' in ['Paris'], {path}, line 1 'ar' in ['Paris'],"
    )
    assert "overlapping spans left out: 10, at" in record.message and "line 3" not in record.message.split(";")[0]


def test_misaligned(write):
    path = write([{"text": "Paris", "label": [[1, 5, "LOC"]]}])
    assert read(path) == [(["Paris"], ["U-LOC"])]
    assert read(path, misaligned="skip") == [(["Paris"], ["O"])]
    assert refused(path, misaligned="error").startswith(f"{path}, line 1: the span 'aris' from 1 to 5 cuts a token")


@pytest.mark.parametrize("name", ["format", "misaligned", "offsets"])
def test_parameters_are_checked_when_the_reader_is_built(name):
    with pytest.raises(ConfigurationError, match=f"`{name}` must be one of .*, got 'nope'"):
        build(**{name: "nope"})


def test_all_options_reach_the_parsers(write):
    path = write([{"text": "😍 Oslo", "label": [[3, 7, "LOC"]]}])
    assert read(path, offsets="utf16") == [(["😍", "Oslo"], ["O", "U-LOC"])]
    path = write([{"tokens": ["Oslo"], "ner_tags": [1]}])
    assert read(path, labels=["O", "B-LOC"]) == [(["Oslo"], ["U-LOC"])]
    assert "expected a list of spans" in refused(path, format="doccano")
    results = [
        {"completed_by": who, "result": [{"value": {"start": 0, "end": 1, "labels": [label]}}]}
        for who, label in ((1, "A"), (2, "B"))
    ]
    path = write([[{"data": {"text": "x"}, "annotations": results}]], "a.json")
    assert read(path, annotator="2") == [(["x"], ["U-B"])]


def test_files_that_hold_nothing(write, tmp_path):
    assert refused(write([{"text": " ", "label": []}])).endswith("the file holds no text with a word.")
    assert "no such file" in refused(str(tmp_path / "nope.jsonl"))
    assert "neither .ann files" in refused(str(tmp_path))


def test_a_language_whose_package_is_missing_is_told_when_a_text_is_read(write):
    if importlib.util.find_spec("sudachipy") is not None:
        pytest.skip("sudachipy is installed")
    assert "pip install spacy[ja]" in refused(write(DOCCANO), language="ja")
    rows = [{"tokens": ["東京"], "ner_tags": ["B-LOC"]}]
    assert read(write(rows), language="ja") == [(["東京"], ["U-LOC"])]  # no tokeniser is needed


def test_columns_are_read_too(tmp_path):
    assert read("fixtures/wnut17/emerging.dev.conll") == [
        (instance["metadata"]["words"], instance["tags"].labels)
        for instance in dataset_readers.WnutReader().read("fixtures/wnut17/emerging.dev.conll")
    ]


def test_the_docstring_names_all_parameters():
    documented = inspect.getdoc(dataset_readers.SpansReader)
    for name in list(inspect.signature(dataset_readers.SpansReader.__init__).parameters)[1:-1]:
        assert f"\n{name} : `" in documented


@pytest.mark.parametrize("unmarked, partial", [("O", True), ("unknown", None), ("unknown", True)])
def test_what_is_unmarked_may_be_unknown(write, unmarked, partial):
    path = write([row if partial is None else {**row, "partial": partial} for row in DOCCANO])
    expected = [(words, [tag.replace("O", "?") if tag == "O" else tag for tag in tags]) for words, tags in SENTENCES]
    assert read(path, assume_unmarked=unmarked) == expected


@pytest.mark.parametrize("unmarked, partial", [("O", None), ("O", False), ("unknown", False)])
def test_what_is_unmarked_may_be_o(write, unmarked, partial):
    path = write([row if partial is None else {**row, "partial": partial} for row in DOCCANO])
    assert read(path, assume_unmarked=unmarked) == SENTENCES


def test_unknown_text_is_told_wrongly(write):
    message = refused(write([{**DOCCANO[0], "partial": "yes"}]))
    assert message.endswith("line 1: `partial` must be true or false, got 'yes'.")
    with pytest.raises(ConfigurationError, match="`assume_unmarked` must be one of O, unknown, got '[?]'"):
        build(assume_unmarked="?")


def test_a_tag_comes_before_what_is_assumed(write, tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a ?\nb O\nc B-X\n")
    for unmarked in ("O", "unknown"):
        assert read(str(path), assume_unmarked=unmarked) == [(["a", "b", "c"], ["?", "O", "U-X"])]
