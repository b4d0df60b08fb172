import importlib.util
import json
from pathlib import Path

import pytest

from roseq_allennlp.data.formats import FORMATS

DEV = "fixtures/wnut17/emerging.dev.conll"


def sentences(path):
    """What a file of columns holds, read without the package."""
    result = [[]]
    for line in Path(path).read_bytes().decode("utf-8").split("\n"):
        cells = tuple(cell.strip(" ") for cell in line.rstrip("\r").split("\t"))
        if any(cells):
            result[-1].append(cells)
        elif result[-1]:
            result.append([])
    return result if result[-1] else result[:-1]


@pytest.mark.parametrize("name", FORMATS)
def test_columns_to_each_format_and_back(roseq, tmp_path, name):
    there, back = tmp_path / f"there{FORMATS[name].extension}", tmp_path / "back.conll"
    result = roseq("convert", DEV, there, "--to", name)
    expected = sentences(DEV)
    entities = sum(tag.startswith("B-") for sentence in expected for _, tag in sentence)
    assert result == (0, "", f"{there}: {len(expected)} documents with {entities} entities\n")
    result = roseq("convert", there, back, "--tokenized")
    assert (result.status, sentences(back)) == (0, expected)


@pytest.mark.corpora
@pytest.mark.parametrize("name", FORMATS)
def test_wnut17_to_each_format_and_back(roseq, tmp_path, name, real_data):
    there, back = tmp_path / f"there{FORMATS[name].extension}", tmp_path / "back.conll"
    for file in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        source = real_data / "wnut17" / file
        columns = ["--columns", '{"separator": "\\t", "tag_scheme": "IOB2"}']
        assert roseq("convert", source, there, "--to", name, *columns).status == 0
        assert roseq("convert", there, back, "--tokenized", *columns).status == 0
        assert sentences(back) == sentences(source)
        if there.is_dir():
            there.rename(tmp_path / f"{file}.brat")


def test_standard_output(roseq):
    result = roseq("convert", DEV, "-", "--to", "doccano")
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert len(rows) == len(sentences(DEV)) and rows[0].keys() == {"text", "label"}
    assert "convert: error" in roseq("convert", DEV, "-", "--to", "spacy").errors


def test_text_is_split_by_the_rules_of_the_language(roseq, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Ann doesn\'t. Bob", "label": [[0, 2, "PER"], [13, 16, "PER"]]}\n')
    result = roseq("convert", path, "-", "--to", "columns", "--language", "en")
    assert result.output == "-DOCSTART-\tO\n\nAnn\tB-PER\ndoes\tO\nn't\tO\n.\tO\n\nBob\tB-PER\n\n"
    assert f"{path}: spans that cut tokens, grown to them: 1, at {path}, line 1 'An' in ['Ann']" in result.errors
    result = roseq("convert", path, "-", "--to", "columns", "--misaligned", "error")
    assert (result.status, result.output) == (1, "") and "cuts a token" in result.errors
    if importlib.util.find_spec("pyvi") is None:
        assert "Pyvi not installed" in roseq("convert", path, "-", "--to", "columns", "--language", "vi").errors
    # Spans of characters stay as they are.
    assert '"label": [[0, 2, "PER"], ' in roseq("convert", path, "-", "--to", "doccano").output


def test_options_of_formats(roseq, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["Oslo"], "ner_tags": [1]}\n')
    assert roseq("convert", path, "-", "--to", "columns", "--labels", "O,B-LOC").output == "Oslo\tB-LOC\n\n"
    path.write_text('{"text": "😍 Oslo", "label": [[3, 7, "LOC"]]}\n', encoding="utf-8")
    assert "[[2, 6, " in roseq("convert", path, "-", "--to", "doccano", "--offsets", "utf16").output
    path = tmp_path / "a.txt"
    path.write_text("B-LOC Oslo\n")
    columns = '{"token_column": 1, "tag_column": 0}'
    assert (
        roseq("convert", path, "-", "--from", "columns", "--to", "columns", "--columns", columns).output
        == "Oslo\tB-LOC\n\n"
    )


def test_splits(roseq, tmp_path):
    path, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    texts = [f"text {number % 50}" for number in range(100)]
    path.write_text("".join(json.dumps({"text": text, "label": [[0, 4, "X"]]}) + "\n" for text in texts))
    arguments = ("convert", path, out, "--to", "doccano", "--split", "80,10,10", "--seed", 3)
    result = roseq(*arguments)
    assert result.status == 0 and not out.exists()
    assert f"{tmp_path / 'b.train.jsonl'}: 80 documents with 80 entities\n" in result.errors
    splits = [(tmp_path / f"b.{name}.jsonl").read_text() for name in ("train", "dev", "test")]
    read = [{json.loads(line)["text"] for line in split.splitlines()} for split in splits]
    assert [len(split.splitlines()) for split in splits] == [80, 10, 10] and sum(map(len, read)) == 50
    roseq(*arguments)
    assert [(tmp_path / f"b.{name}.jsonl").read_text() for name in ("train", "dev", "test")] == splits
    roseq("convert", path, tmp_path / "brat", "--to", "brat", "--split", "50,50")
    assert [len(list((tmp_path / f"brat.{name}").glob("*.txt"))) for name in ("train", "dev")] == [50, 50]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nope.conll", "a.json"], "nope.conll: no such file"),
        ([DEV, "a.jsonl"], "a.jsonl: its name does not tell the format"),
        ([DEV, "a.json", "--split", "80,30"], "--split: expected two or three whole percents whose sum is 100"),
        ([DEV, "a.json", "--split", "a,b"], "--split: expected"),
        ([DEV, "a.json", "--split", "100,0"], "--split: expected"),
        ([DEV, "-", "--to", "doccano", "--split", "50,50"], "cannot go to standard output"),
        ([DEV, "a.json", "--columns", "{"], "--columns: not JSON"),
        ([DEV, "a.json", "--columns", "3"], "--columns: expected an object"),
        ([DEV, "a.json", "--columns", '{"nope": 1}'], "the parameters of `columns` do not fit"),
        (["README.md", "a.json"], "README.md, line 1: '# RoSeq for AllenNLP' begins none of the known formats"),
        ([DEV, "setup.py/a.json", "--to", "doccano"], "setup.py/a.json: its directory cannot be made"),
    ],
)
def test_errors(roseq, arguments, message):
    result = roseq("convert", *arguments)
    assert result.status == 1 and result.errors.startswith("roseq convert: error: ") and message in result.errors
    assert result.errors.count("\n") == 1


def test_the_output_of_before_stays_on_an_error(roseq, tmp_path):
    path, out = tmp_path / "a.jsonl", tmp_path / "b.json"
    path.write_text('{"text": "a", "label": []}\n{"text": 3, "label": []}\n')
    out.write_text("before")
    assert roseq("convert", path, out).status == 1
    assert out.read_text() == "before" and sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "b.json"]


PARTIAL = "Ann\tB-PER\nleft\t?\nNew\tB-LOC\nYork\tI-LOC\n\nfor\tO\nRome\t?\n\n"


@pytest.mark.parametrize("name", FORMATS)
def test_unknown_tags_to_each_format_and_back(roseq, tmp_path, name):
    source, there, back = tmp_path / "a.conll", tmp_path / f"there{FORMATS[name].extension}", tmp_path / "back.conll"
    source.write_text(PARTIAL)
    result = roseq("convert", source, there, "--to", name)
    if name not in ("spacy", "hf", "conllu", "columns"):
        line = 6 if name == "doccano" else 1  # in the first sentence all that is unmarked is unknown
        assert result.status == 1 and result.errors.count("\n") == 1
        assert result.errors.startswith(f"roseq convert: error: {source}, line {line}: has ")
        assert "Write columns, hf, conllu" in result.errors
        return
    assert result.status == 0
    assert roseq("convert", there, back, "--tokenized").status == 0
    assert back.read_text() == PARTIAL


def test_documents_of_which_all_that_is_unmarked_is_unknown(roseq, tmp_path):
    source, there = tmp_path / "a.jsonl", tmp_path / "b.conll"
    rows = [
        {"id": 1, "text": "Ann left", "label": [[0, 3, "PER"]], "partial": True},
        {"id": 2, "text": "in Rome", "label": [[3, 7, "LOC"]], "partial": False},
        {"id": 3, "text": "Bo", "label": [[0, 2, "PER"]]},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert roseq("convert", source, there).status == 0
    assert there.read_text() == "Ann\tB-PER\nleft\t?\n\nin\tO\nRome\tB-LOC\n\nBo\tB-PER\n\n"
    back = map(json.loads, roseq("convert", there, "-", "--to", "doccano").output.splitlines())
    assert [(row["label"], row.get("partial")) for row in back] == [
        ([[0, 3, "PER"]], True),
        ([[3, 7, "LOC"]], None),
        ([[0, 2, "PER"]], None),
    ]
    again = roseq("convert", source, "-", "--to", "doccano").output.splitlines()
    assert [json.loads(row) for row in again] == rows
    message = roseq("convert", source, tmp_path / "b.json").errors
    assert f"{source}, line 1: has unknown tags, which Label Studio's format cannot hold" in message
    result = roseq("convert", source, "-", "--to", "columns", "--assume-unmarked", "unknown").output
    assert result == there.read_text()  # nothing of the last row is unmarked


def test_unknown_tags_in_a_document_of_several_sentences(roseq, tmp_path):
    source = tmp_path / "a.conll"
    source.write_text(f"-DOCSTART-\tO\n\n{PARTIAL}")
    assert roseq("convert", source, "-", "--to", "columns").output == source.read_text()
    lines = [line.split("\t") for line in roseq("convert", source, "-", "--to", "conllu").output.splitlines()]
    assert [cells[1] for cells in lines if cells[-1] == "NER=?"] == ["left", "Rome"]


def test_entities_that_go_on_into_an_unknown_tag_are_unknown(roseq, tmp_path):
    source = tmp_path / "a.conll"
    source.write_text("a\tB-X\nb\t?\nc\tE-X\nd\tS-X\ne\tO\n")
    result = roseq("convert", source, "-", "--to", "columns")
    assert result.output == "a\t?\nb\t?\nc\t?\nd\tB-X\ne\tO\n\n"
    assert f"tags of entities that go on into an unknown one, unknown too: 2, at {source}, line 1 B-X" in result.errors
