import builtins
import json

import pyarrow
import pyarrow.parquet
import pytest

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats import FORMATS, recognised
from roseq_allennlp.data.tag_schemes import Span

NAMES = ["O", "B-PER", "I-PER"]
ROWS = [
    {"id": "0", "tokens": ["Ann", "Lee", "ran"], "ner_tags": [1, 2, 0]},
    {"id": "1", "tokens": ["Ann"], "ner_tags": [1]},
]
FEATURES = {
    "id": {"dtype": "string", "_type": "Value"},
    "ner_tags": {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "Sequence"},
}


def check(documents):
    assert [(document.words(), document.entities, document.sentences) for document in documents] == [
        (["Ann", "Lee", "ran"], [Entity("PER", 0, 7)], [(0, 3)]),
        (["Ann"], [Entity("PER", 0, 3)], [(0, 1)]),
    ]
    assert [document.text for document in documents] == ["Ann Lee ran", "Ann"]


def parquet(path, metadata=None):
    table = pyarrow.Table.from_pylist(ROWS)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": metadata}})})
    pyarrow.parquet.write_table(table, path)
    return str(path)


def saved(directory, **state):
    """As `Dataset.save_to_disk` leaves it."""
    directory.mkdir(parents=True)
    table = pyarrow.Table.from_pylist(ROWS)
    for number, part in enumerate((table[:1], table[1:])):
        with pyarrow.OSFile(str(directory / f"data-{number}.arrow"), "wb") as sink:
            with pyarrow.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(part)
    files = [{"filename": "data-0.arrow"}, {"filename": "data-1.arrow"}]
    (directory / "state.json").write_text(json.dumps({"_data_files": files, **state}))
    (directory / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    return directory


def test_json_lines(write, read, refused, tmp_path):
    path = write(ROWS)
    assert recognised(path) == "hf"
    documents, _ = read("hf", path, labels=NAMES)
    check(documents)
    assert documents[0].other == {"id": "0"}
    assert "the tags are integers, and their names are not with the file. Give `labels`" in refused("hf", path)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"default": {"features": FEATURES}}))
    check(read("hf", path)[0])


@pytest.mark.parametrize("tags", [["B-PER", "I-PER", "O"], ["B-PER", "E-PER", "O"]])
def test_tags_by_name(write, read, tags):
    check(
        read(
            "hf", write([{"tokens": ["Ann", "Lee", "ran"], "tags": tags}, {"tokens": ["Ann"], "ner_tags": [tags[0]]}])
        )[0]
    )


def test_iob1_and_invalid_tags(write, read):
    rows = [{"tokens": ["Ann", "Lee"], "ner_tags": ["I-PER", "I-PER"]}, {"tokens": ["Oslo"], "ner_tags": ["B-LOC"]}]
    path = write(rows + rows[:1])
    documents, counted = read("hf", path)
    assert [document.entities for document in documents][0] == [Entity("PER", 0, 7)]
    assert counted == f"invalid IOB1 tags repaired: 1, at {path}, line 2 B-LOC"


def test_parquet(tmp_path, read, refused):
    path = parquet(tmp_path / "data.parquet", FEATURES)
    assert recognised(path) == "hf"
    check(read("hf", path)[0])
    plain = parquet(tmp_path / "plain.parquet")
    assert "names are not with the file" in refused("hf", plain)
    check(read("hf", plain, labels=NAMES)[0])
    newer = {"ner_tags": {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "List"}}
    check(read("hf", parquet(tmp_path / "newer.parquet", newer))[0])
    (tmp_path / "data.parquet").write_bytes(b"PAR1 and no more")
    assert refused("hf", path).startswith(f"{path}: cannot be read by Apache Arrow: ")


def test_save_to_disk(tmp_path, read, refused):
    directory = saved(tmp_path / "all" / "train")
    assert recognised(str(directory)) == "hf"
    check(read("hf", directory)[0])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert recognised(str(tmp_path / "all")) == "hf"
    assert "holds the splits train. Name one of them" in refused("hf", tmp_path / "all")
    selected = saved(tmp_path / "selected", _indices_data_files=[{"filename": "indices.arrow"}])
    assert "Save the dataset anew with `save_to_disk`" in refused("hf", selected)
    (directory / "data-1.arrow").write_bytes(b"no arrow")
    assert "cannot be read by Apache Arrow" in refused("hf", directory)
    (directory / "data-1.arrow").unlink()
    assert "data-1.arrow" in refused("hf", directory)


def test_the_extra(tmp_path, refused, monkeypatch):
    path = parquet(tmp_path / "data.parquet", FEATURES)
    importing = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return importing(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert refused("hf", path).endswith("needs Apache Arrow, which is not installed: pip install 'roseq-allennlp[hf]'.")


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "out.jsonl.gz"])
def test_written_and_read_again(tmp_path, read, name):
    documents = [Document.from_words(["Ann", "Lee", "ran", "."], [Span("PER", 0, 2)], sentences=[(0, 2), (2, 4)])]
    FORMATS["hf"].write(documents * 1200, str(tmp_path / name))
    assert recognised(str(tmp_path / name)) == "hf"
    again, _ = read("hf", tmp_path / name)
    assert [(document.words(), document.entities) for document in again] == [
        (["Ann", "Lee"], [Entity("PER", 0, 7)]),
        (["ran", "."], []),
    ] * 1200


@pytest.mark.parametrize(
    "row, message",
    [
        ({"tokens": ["a"], "ner_tags": [3]}, "the tag 3 has no name; there are 3, from 0 on"),
        ({"tokens": ["a"], "ner_tags": [-1]}, "the tag -1 has no name"),
        ({"tokens": ["a"], "ner_tags": [True]}, "the label of a span must be text"),
        ({"tokens": ["a"], "ner_tags": ["PER"]}, "'PER' is no tag of a known scheme"),
        ({"tokens": ["a"], "ner_tags": []}, "expected lists `tokens` and `ner_tags` of one length"),
        ({"tokens": ["a"]}, "expected lists `tokens` and `ner_tags`"),
        ({"tokens": "a", "ner_tags": [0]}, "expected lists `tokens` and `ner_tags`"),
        ({"tokens": ["a", ""], "ner_tags": [0, 0]}, "a token is empty"),
        ({"tokens": ["a", None], "ner_tags": [0, 0]}, "the text must be a string, got None"),
    ],
)
def test_what_is_refused(write, refused, row, message):
    path = write([row])
    error = refused("hf", path, labels=NAMES)
    assert error.startswith(f"{path}, line 1: ") and message in error
