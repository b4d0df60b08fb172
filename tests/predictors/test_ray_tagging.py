import json
import sys

import pyarrow
import pyarrow.parquet
import pytest

from roseq_allennlp.predictors import ray_tagging
from roseq_allennlp.predictors.ray_tagging import ADDED_COLUMNS, Part, TaggingActor, parts, pieces_of, slices


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_parts_hold_each_line_once(size, end, tmp_path):
    lines = ["first", "", "ünï\u2028cödé", "x" * 40, "a\rb", " last "]
    (tmp_path / "a.txt").write_bytes(("\n".join(lines) + end).encode())
    (tmp_path / "b.txt").write_bytes(b"one\r\ntwo\xff\r\n")
    tables = [part.table() for part in parts([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")], size)]
    rows = pyarrow.concat_tables(tables).to_pylist()
    expected = [("a.txt", number, text) for number, text in enumerate(lines, 1)]
    expected += [("b.txt", 1, "one"), ("b.txt", 2, "twoÿ")]
    assert [(row["file"].split("/")[-1], row["line"], row["text"]) for row in rows] == expected


def test_an_empty_file_has_no_parts(tmp_path):
    (tmp_path / "a.txt").touch()
    assert parts([str(tmp_path / "a.txt")], 10) == []
    assert Part(str(tmp_path / "a.txt"), 0, 10, 1).table().num_rows == 0


def test_slices_hold_each_row_once(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_tagging, "_ROWS", (3, 10))
    for name, rows, size in (("a", 20, 8), ("b", 0, 8), ("c", 700, 500)):
        table = pyarrow.table({"id": [f"{name}{row}" for row in range(rows)]})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet", row_group_size=size)
    pieces = slices([str(tmp_path / f"{name}.parquet") for name in "abc"])
    ids = [row for piece in pieces for row in piece.table()["id"].to_pylist()]
    assert ids == [f"a{row}" for row in range(20)] + [f"c{row}" for row in range(700)]
    assert [piece.rows for piece in pieces] == [piece.table().num_rows for piece in pieces]
    assert [piece.rows for piece in pieces][:7] == [3, 3, 2, 3, 3, 2, 3]
    assert max(piece.rows for piece in pieces) == 16  # at most 32 of a row group of 500


def test_a_piece_is_a_file_that_is_written_once(archive_path, tagger, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("Anna lives in Oslo\nso happy\nin Porto\n")
    pieces = pieces_of([str(source)], "txt")
    assert [fields[1:] for fields in pieces] == [[0, source.stat().st_size, 1, 3]]
    tag = TaggingActor(str(archive_path), "txt", "jsonl", str(tmp_path), batch_size=2)
    table = pyarrow.table({"index": [7], "fields": [json.dumps(pieces[0])]})
    assert tag(table).to_pydict() == {"index": [7]}
    path = tmp_path / "part-000007.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == ["Anna lives in Oslo", "so happy", "in Porto"]
    assert [row["tags"] for row in rows] == [tagger.tag(row["text"])["tags"] for row in rows]
    path.write_text("as it was")
    tag(table)
    assert path.read_text() == "as it was"
    path.unlink()
    source.write_text("shorter\n")
    with pytest.raises(ValueError, match="in.txt has changed since the job began"):
        tag(table)
    assert not path.exists()


def lines(*texts):
    return pyarrow.table({"file": ["f"] * len(texts), "line": range(1, len(texts) + 1), "text": texts})


def actor(archive_path, source, output, **options):
    return TaggingActor(str(archive_path), source, output, **options).tagged


def test_json_lines(archive_path, tagger):
    texts = [
        '{"id": 7, "sentence": "Anna lives in Oslo", "tags": "own"}',
        "{broken",
        "[1]",
        '{"tokens": ["a", ""]}',
        "{}",
    ]
    out = actor(archive_path, "jsonl", "jsonl")(lines(*texts))
    rows = [json.loads(line) for line in out["json"].to_pylist()]
    assert rows[0] == {
        **{"file": "f", "line": 1, "id": 7, "sentence": "Anna lives in Oslo", "input_tags": "own"},
        **tagger.tag("Anna lives in Oslo"),
    }
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]
    assert "not a line of JSON" in rows[1]["error"] and rows[1]["text"] == "{broken"
    assert all('expected {"sentence"' in rows[place]["error"] for place in (2, 4))
    assert "none of them empty" in rows[3]["error"] and rows[3]["tokens"] == ["a", ""]


def test_text(archive_path, tagger):
    out = actor(archive_path, "txt", "parquet")(lines("Anna lives in Oslo", ""))
    assert out.column_names == ["file", "line", "text", *ADDED_COLUMNS]
    first, second = out.to_pylist()
    assert {name: first[name] for name in ("words", "tags", "entities")} == tagger.tag("Anna lives in Oslo")
    assert second["words"] == [] and second["error"] is None


def without_probability(answer):  # whose last digits depend on the batch
    return [{name: value for name, value in each.items() if name != "probability"} for each in answer["entities"]]


def test_parquet(archive_path, tagger):
    table = pyarrow.table(
        {
            "id": ["x", "y", "z"],
            "sentence": ["Anna lives in Oslo", None, None],
            "tokens": [None, ["Oslo", "!"], None],
            "words": [1, 2, 3],
        }
    )
    tag = actor(archive_path, "parquet", "parquet")
    out = tag(table)
    rows = out.to_pylist()
    assert [row["id"] for row in rows] == ["x", "y", "z"] and [row["input_words"] for row in rows] == [1, 2, 3]
    assert without_probability(rows[0]) == without_probability(tagger.tag("Anna lives in Oslo"))
    assert rows[1]["tags"] == tagger.tag_tokens(["Oslo", "!"])["tags"]
    assert "expected" in rows[2]["error"] and rows[2]["words"] is None
    assert out.schema == tag(table.slice(2)).schema  # also where all rows are bad
    assert json.loads(actor(archive_path, "parquet", "jsonl")(table)["json"][0].as_py())["id"] == "x"


def test_an_actor_imports_the_packages_of_the_command(archive_path, tmp_path, monkeypatch):
    (tmp_path / "users_package.py").write_text("imported = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    TaggingActor(str(archive_path), "jsonl", "jsonl", packages=["users_package"])
    assert sys.modules.pop("users_package").imported


@pytest.mark.parametrize("output", ["jsonl", "parquet"])
def test_entities_below_the_least_probability_are_left_out_or_marked(output, archive_path, tagger):
    text = "Marta Keller flies from Lisbon to Oslo tomorrow"
    probabilities = {entity["text"]: entity["probability"] for entity in tagger.tag(text)["entities"]}
    least = {"location": sorted(probabilities[city] for city in ("Lisbon", "Oslo"))[1] - 1e-6, "person": 0.0}
    lowest = min(("Lisbon", "Oslo"), key=probabilities.__getitem__)

    def rows(review):
        table = actor(archive_path, "txt", output, least=least, review=review)(lines(text, ""))
        return [json.loads(line) for line in table["json"].to_pylist()] if output == "jsonl" else table.to_pylist()

    row, empty = rows(False)
    assert {entity["text"] for entity in row["entities"]} == set(probabilities) - {lowest}
    assert row["tags"][row["words"].index(lowest)] == "O" and all("review" not in each for each in row["entities"])
    row, empty = rows(True)
    assert {entity["text"]: entity.get("review") or False for entity in row["entities"]} == {
        name: name == lowest for name in probabilities
    }
    assert row["tags"] == tagger.tag(text)["tags"] and empty["entities"] == []
