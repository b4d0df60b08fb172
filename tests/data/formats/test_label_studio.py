import json

import pytest

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats import FORMATS, recognised
from roseq_allennlp.data.formats.label_studio import Review, write_reviews
from roseq_allennlp.data.tag_schemes import Span

TEXT = "😍 Oslo"


def result(start, end, *labels, **more):
    return {"type": "labels", "value": {"start": start, "end": end, "labels": list(labels), **more}}


def task(*results, text=TEXT, **more):
    return {"id": 3, "data": {"text": text}, "annotations": [{"completed_by": 1, "result": list(results)}], **more}


def test_json(write, read, tmp_path):
    other = {"type": "choices", "value": {"choices": ["x"]}}
    path = write([task(result(2, 6, "LOC", text="Oslo"), other)], "export.json")
    assert recognised(path) == "label-studio"
    (document,), counted = read("label-studio", path)
    assert (document.text, document.entities, counted) == (TEXT, [Entity("LOC", 2, 6)], "")
    written = tmp_path / "written.json"
    FORMATS["label-studio"].write([document, document], str(written))
    assert json.loads(written.read_text())[1]["annotations"][0]["result"][0]["value"]["text"] == "Oslo"
    assert [again.entities for again in read("label-studio", written)[0]] == [document.entities] * 2


def test_no_document_is_an_empty_array(read, tmp_path):
    FORMATS["label-studio"].write([], str(tmp_path / "empty.json"))
    assert read("label-studio", tmp_path / "empty.json") == ([], "")


def test_json_min(write, read):
    spans = [{"start": 2, "end": 6, "text": "Oslo", "labels": ["LOC"]}]
    row = {"text": TEXT, "id": 3, "ner": spans, "annotator": 1, "annotation_id": 4, "created_at": "2021", "source": "x"}
    path = write(
        [row, {**row, "ner": [], "annotator": 2}, {"id": 4, "annotator": 1, "review": "Rome", "lead_time": 1.0}],
        "min.json",
    )
    assert recognised(path) == "label-studio"
    documents, counted = read("label-studio", path)
    assert [(document.text, document.entities) for document in documents] == [
        (TEXT, [Entity("LOC", 2, 6)]),
        ("Rome", []),
    ]
    assert documents[0].other == {"id": 3, "source": "x"}
    assert counted == f"further annotations of a task, left out: 1, at {path}, task 2 (id 3)"
    documents, _ = read("label-studio", path, annotator="2")
    assert [(document.text, document.entities) for document in documents] == [(TEXT, [])]


def test_annotators(write, read):
    first = {"completed_by": {"id": 1, "email": "a@b.org"}, "result": [result(2, 6, "LOC")]}
    skipped = {"completed_by": 1, "was_cancelled": True, "result": []}
    second = {"completed_by": 2, "result": [result(2, 6, "ORG")]}
    path = write(
        [task() | {"annotations": [skipped, first, second]}, task() | {"annotations": [skipped]}], "export.json"
    )
    for annotator, label in ((None, "LOC"), ("a@b.org", "LOC"), ("1", "LOC"), ("2", "ORG")):
        (document,), counted = read("label-studio", path, annotator=annotator)
        assert document.entities == [Entity(label, 2, 6)]
        by = "" if annotator is None else f" by '{annotator}'"
        assert f"tasks without an annotation{by}, left out: 1, at {path}, task 2 (id 3)" in counted
        assert ("tasks with several annotations, of which the first is read: 1" in counted) == (annotator is None)


def test_offsets_of_versions_that_count_as_a_browser_does(write, read):
    path = write([task(result(3, 7, "LOC", text="Oslo"))], "export.json")
    (document,), counted = read("label-studio", path)
    assert document.entities == [Entity("LOC", 2, 6)]
    assert counted.startswith("documents whose offsets count UTF-16 units, as their quotes show: 1")
    path = write([task(result(3, 7, "LOC"))], "export.json")  # no quote
    assert read("label-studio", path, offsets="utf16")[0][0].entities == [Entity("LOC", 2, 6)]


def test_quotes_may_differ_in_white_space(write, read):
    path = write([task(result(0, 8, "LOC", text="New\\nYork"), text="New\nYork")], "export.json")
    assert read("label-studio", path)[0][0].entities == [Entity("LOC", 0, 8)]


def test_a_span_that_quotes_other_text(write, read, refused):
    path = write([task(result(0, 1, "LOC", text="Oslo"), result(2, 6, "LOC", text="Oslo"))], "export.json")
    error = refused("label-studio", path)
    assert error.startswith(f"{path}, task 1 (id 3): the text from 0 to 1 is '😍', but the annotation says 'Oslo'")
    (document,), counted = read("label-studio", path, misaligned="skip")
    assert document.entities == [Entity("LOC", 2, 6)] and counted.startswith("spans that quote other text, left out: 1")


@pytest.mark.parametrize(
    "content, message",
    [
        ({"data": {"text": "a"}}, "expected an array of tasks"),
        ([3], "task 1: expected an object, got 3"),
        ([{"data": {"text": "a"}}], "expected an object `data` and a list `annotations`"),
        ([{"data": {"text": "a"}, "annotations": [3]}], "expected annotations with a list `result`"),
        ([task({"value": {"start": "/p[1]", "end": "/p[2]", "hypertextlabels": ["X"]}})], "expected a span of plain text"),
        ([task(result("a", 2, "X"))], "must be integers, got 'a'"),
        ([task(result(0, 99, "X"))], "a span from 0 to 99"),
        ([task(result(0, 1, 5))], "the label of a span must be text"),
        ([task(None)], "expected a span of plain text"),
        ([{"data": {"a": "x", "b": "y"}, "annotations": [{"result": []}]}], "expected the text as `text`, or as the only string"),
        ([{"annotator": 5}], "expected the text as `text`"),
        ([{"text": "a", "label": [[0, 1, "X"]]}], "Rows of other tools are read as JSON lines"),
    ],
)  # fmt: skip
def test_what_is_refused(write, refused, content, message):
    path = write(content, "export.json")
    error = refused("label-studio", path)
    assert error.startswith(path) and message in error


def test_reviews_have_an_annotation_and_a_prediction_beside_it(read, tmp_path):
    words = ["😍", "Ann", "Lee"]
    annotated = Document.from_words(words, [Span("LOC", 1, 2)], other={"sentence": 7})
    predicted = Document.from_words(words, [Span("PER", 1, 3)])
    partly = Document("Oslo", [], unknown=[(0, 4)])
    path = tmp_path / "tasks.json"
    write_reviews([Review(annotated, predicted, [0.87654321]), Review(partly, Document("Oslo"), [])], str(path))
    assert recognised(str(path)) == "label-studio"
    (document, other), counted = read("label-studio", path)
    assert (document.text, document.entities, document.other) == ("😍 Ann Lee", [Entity("LOC", 2, 5)], {"sentence": 7})
    assert (other.text, other.entities, other.other, counted) == ("Oslo", [], {"unknown": [[0, 4]]}, "")
    # The prediction is of the same form as an annotation, for the same control tags.
    tasks = json.loads(path.read_text(encoding="utf-8"))
    (prediction,) = tasks[0]["predictions"]
    (expected,) = prediction["result"]
    assert expected.pop("score") == 0.8765
    path.write_text(json.dumps([{**tasks[0], "annotations": tasks[0]["predictions"]}]), encoding="utf-8")
    assert read("label-studio", path)[0][0].entities == [Entity("PER", 2, 9)]
    assert expected.keys() == tasks[0]["annotations"][0]["result"][0].keys()
