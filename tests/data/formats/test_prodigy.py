import json

import pytest

from roseq_allennlp.data.documents import Entity
from roseq_allennlp.data.formats import FORMATS, recognised

ROW = {
    "text": "Ann in New York",
    "_task_hash": 5,
    "tokens": [
        {"text": "Ann", "start": 0, "end": 3, "id": 0, "ws": True},
        {"text": "in", "start": 4, "end": 6, "id": 1, "ws": True},
        {"text": "New York", "start": 7, "end": 15, "id": 2, "ws": False},
    ],
    "spans": [{"start": 7, "end": 15, "label": "LOC", "token_start": 2, "token_end": 2}],
    "answer": "accept",
}


def test_tokens_and_spans(write, read, tmp_path):
    path = write([ROW])
    assert recognised(path) == "prodigy"
    (document,), counted = read("prodigy", path)
    assert (document.entities, document.words(), counted) == ([Entity("LOC", 7, 15)], ["Ann", "in", "New York"], "")
    written = tmp_path / "written.jsonl"
    FORMATS["prodigy"].write([document], str(written))
    assert json.loads(written.read_text()) == ROW


def test_answers_other_than_accept_are_counted(write, read):
    rows = [{**ROW, "answer": answer} for answer in ("reject", "accept", "ignore", "reject")]
    path = write([*rows, {"text": "no answer", "spans": None}, {"text": "no spans", "answer": "accept"}])
    documents, counted = read("prodigy", path)
    assert [document.text for document in documents] == [ROW["text"], "no answer", "no spans"]
    assert counted == (
        f"rows with the answer 'reject' left out: 2, at {path}, line 1, {path}, line 4; "
        f"rows with the answer 'ignore' left out: 1, at {path}, line 3"
    )


def test_spans_that_cut_tokens_are_written_without_numbers_of_tokens(write, read, tmp_path):
    path = write([{**ROW, "spans": [{"start": 7, "end": 10, "label": "LOC"}]}])
    documents, _ = read("prodigy", path)
    written = tmp_path / "written.jsonl"
    FORMATS["prodigy"].write(documents, str(written))
    assert json.loads(written.read_text())["spans"] == [{"start": 7, "end": 10, "label": "LOC"}]


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"spans": [{"start": 0, "end": 99, "label": "X"}]}, "a span from 0 to 99"),
        ({"spans": [{"start": 0, "label": "X"}]}, "each of `spans` must have `end`, `label`, `start`"),
        ({"spans": 3}, "`spans` must be a list"),
        ({"tokens": ["Ann"]}, "each of `tokens` must have"),
        ({"tokens": [{"start": 0, "end": 0}]}, "token 0: a span from 0 to 0 is empty"),
        (
            {"tokens": [{"start": 0, "end": 3}, {"start": 2, "end": 5}]},
            "token 1 begins before the end of the token before",
        ),
        ({"text": None}, "the text must be a string"),
    ],
)
def test_what_is_refused(write, refused, changed, message):
    path = write([{**ROW, **changed}])
    error = refused("prodigy", path)
    assert error.startswith(f"{path}, line 1") and message in error
