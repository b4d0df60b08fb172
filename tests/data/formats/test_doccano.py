import pytest

from roseq_allennlp.data.documents import Entity
from roseq_allennlp.data.formats import FORMATS, recognised

ENTITIES = [Entity("PER", 0, 3), Entity("LOC", 13, 18)]


@pytest.mark.parametrize(
    "row",
    [
        {"id": 7, "text": "Ann flies to Paris", "label": [[0, 3, "PER"], [13, 18, "LOC"]], "Comments": []},
        {"id": 7, "data": "Ann flies to Paris", "labels": [[0, 3, "PER"], [13, 18, "LOC"]], "Comments": []},
        {
            "id": 7,
            "text": "Ann flies to Paris",
            "entities": [
                {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 3},
                {"id": 2, "label": "LOC", "start_offset": 13, "end_offset": 18},
            ],
            "Comments": [],
        },
    ],
)
def test_all_spellings(write, read, row, tmp_path):
    path = write([row])
    assert recognised(path) == "doccano"
    (document,), counted = read("doccano", path)
    assert (document.text, document.entities, counted) == ("Ann flies to Paris", ENTITIES, "")
    assert document.tokens is document.sentences is None
    assert document.other == {"id": 7, "Comments": []} and document.where == f"{path}, line 1"
    written = str(tmp_path / "written.jsonl")
    FORMATS["doccano"].write([document], written)
    (again,), _ = read("doccano", written)
    assert (again.text, again.entities, again.other) == (document.text, document.entities, document.other)


def test_offsets_are_code_points_or_those_of_a_browser(write, read):
    text = "😍👍🏽 Oslo"
    for offsets, start in (("code_points", 4), ("utf16", 7)):
        path = write([{"text": text, "label": [[start, start + 4, "LOC"]]}])
        (document,), _ = read("doccano", path, offsets=offsets)
        assert document.entities == [Entity("LOC", 4, 8)] and text[4:8] == "Oslo"


@pytest.mark.parametrize(
    "row, message",
    [
        ('{"text": "a", "label": [[0, 2, "X"]]}', "a span from 0 to 2 is empty or outside its text of 1 characters"),
        ('{"text": "a", "label": [[0, 2, "X"]]}', 'read with `offsets: "utf16"`'),
        ('{"text": "abc", "label": [[1, 1, "X"]]}', "from 1 to 1 is empty"),
        ('{"text": "abc", "label": [[2, 1, "X"]]}', "from 2 to 1 is empty"),
        ('{"text": "abc", "label": [[-2, 1, "X"]]}', "from -2 to 1"),
        ('{"text": "abc", "label": [[0.0, 1, "X"]]}', "must be integers, got 0.0"),
        ('{"text": "abc", "label": [["0", 1, "X"]]}', "must be integers, got '0'"),
        ('{"text": "abc", "label": [[false, 1, "X"]]}', "must be integers, got False"),
        ('{"text": "abc", "label": [[null, 1, "X"]]}', "must be integers, got None"),
        ('{"text": "abc", "label": [[0, 1, ""]]}', "the label of a span must be text"),
        ('{"text": "abc", "label": [[0, 1, " X"]]}', "without white space at its ends, got ' X'"),
        ('{"text": "abc", "label": [[0, 1, "X\\nY"]]}', "control character"),
        ('{"text": "abc", "label": [[0, 1]]}', "expected a span as [start, end, type]"),
        ('{"text": "abc", "label": ["X"]}', "expected a span as [start, end, type]"),
        ('{"text": "abc", "label": "X"}', "expected a list of spans"),
        ('{"text": "abc"}', "expected a list of spans as `label`, `labels` or `entities` beside `text`, got the keys"),
        ('{"text": 3, "label": []}', "the text must be a string, got 3"),
        ('{"label": []}', "the text must be a string, got None"),
        ('{"text": "\\ud83d", "label": []}', "half a surrogate pair"),
        ('["text"]', "expected a JSON object, got ['text']"),
        ('{"text": ', "not JSON"),
        ('{"text": "a", "label": [], "x": NaN}', "NaN is no number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_refused(write, refused, row, message):
    path = write('\n{"text": "", "label": []}\n' + row)
    error = refused("doccano", path)
    assert error.startswith(f"{path}, line 3: ") and message in error


def test_a_character_that_is_cut_in_two(write, refused):
    path = write([{"text": "a😍", "label": [[0, 2, "X"]]}])
    assert "cuts a character in two" in refused("doccano", path, offsets="utf16")


def test_a_byte_order_mark_gzip_and_windows(tmp_path, read):
    import gzip

    row = '{"text": "Zürich", "label": [[0, 6, "LOC"]]}\n'
    for data in (("\ufeff" + row).encode(), gzip.compress(row.encode()), row.encode("utf-16")):
        path = tmp_path / "data.jsonl"
        path.write_bytes(data)
        assert recognised(str(path)) == "doccano"
        assert read("doccano", path)[0][0].text == "Zürich"


def test_half_a_surrogate_pair_in_another_key_is_written_as_it_was(write, read, tmp_path):
    path = write('{"text": "a", "label": [], "meta": "\\ud83d"}')
    documents, _ = read("doccano", path)
    written = tmp_path / "written.jsonl"
    FORMATS["doccano"].write(documents, str(written))
    assert b'"meta": "\\ud83d"' in written.read_bytes()
