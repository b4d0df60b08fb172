"""`roseq predict`: what goes in, what comes out, and what bad rows, pipes and disks do."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import spacy
import torch
from allennlp.commands import main as allennlp_main
from allennlp.commands.predict import Predict
from allennlp.commands.subcommand import Subcommand
from allennlp.predictors import Predictor

from roseq_allennlp.predictors import inputs, rows
from roseq_allennlp.predictors.inputs import kind_of
from roseq_allennlp.predictors.ray_tagging import TaggingActor, parts

MARTA, OSLO = "Marta Keller flies to Oslo", "at Oslo"
COLUMNS = "Marta\tB-person\nKeller\tI-person\n\nat\tO\nOslo\tB-location\n"


@pytest.fixture
def predict(roseq, archive_path, tmp_path):
    """Runs the command on texts, a file each; the rows it writes."""

    def run(files, *options, archive=archive_path):
        paths = []
        for name, content in files.items():
            path = tmp_path / name
            content = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
            paths.append(path)
        result = roseq("predict", archive, *paths, *options)
        assert result.status == 0 and "Traceback" not in result.errors, result.errors
        return [json.loads(line) for line in result.output.split("\n")[:-1]], result.errors

    return run


def without_probability(answer):  # whose last digits depend on the batch
    entities = [
        {name: value for name, value in entity.items() if name != "probability"} for entity in answer["entities"]
    ]
    return {**answer, "entities": entities}


def same(row, answer):
    assert without_probability({key: row[key] for key in answer}) == without_probability(answer)


FILES = {
    "rows.jsonl": json.dumps({"id": 1, "sentence": MARTA}) + "\n" + json.dumps({"tokens": MARTA.split(), "x": [None]}),
    "plain.txt": f"{MARTA}\n{OSLO}",
    "old_mac.txt": f"{MARTA}\r{OSLO}\r",
    "windows.txt": f"{MARTA}\n{OSLO}".encode("utf-16"),
    "words.txt": "Marta\nKeller\n\nOslo\n",
    "columns.txt": COLUMNS,
    "other.conll": "Marta B-person\r\nKeller I-person\r\n\r\nOslo O\r\n",
}


def test_each_kind_of_input_plain_and_packed(predict, tagger):
    packed = {f"{name}.gz": content for name, content in FILES.items()}
    results, errors = predict({**FILES, **packed})
    half = len(results) // 2
    assert [without_probability(row) for row in results[:half]] == [without_probability(row) for row in results[half:]]
    json_row, tokens_row, *plain, words, word, gold, gold_2, other, other_2 = results[:half]
    assert json_row["id"] == 1 and json_row["sentence"] == MARTA and tokens_row["x"] == [None]
    same(json_row, tagger.tag(MARTA))
    same(tokens_row, tagger.tag_tokens(MARTA.split()))
    assert [row["sentence"] for row in plain] == [MARTA, OSLO] * 3
    for row in plain:
        same(row, tagger.tag(row["sentence"]))
    for row, tokens in ((words, ["Marta", "Keller"]), (word, ["Oslo"]), (gold_2, ["at", "Oslo"]), (other_2, ["Oslo"])):
        assert row["tokens"] == tokens
        same(row, tagger.tag_tokens(tokens))
    assert gold["input_tags"] == ["B-person", "I-person"] == other["input_tags"] and "input_tags" not in words
    assert errors.endswith(f"roseq predict: {2 * half} tagged, 0 with errors, {errors.split()[-2]} s\n")
    assert "read as columns by its first lines" in errors


@pytest.mark.parametrize(
    "name, head, kind",
    [
        ("a.jsonl", "Marta\n", "jsonl"),
        ("a.JSON.gz", "", "jsonl"),
        ("a.conll", "one sentence\n", "columns"),
        ("a.txt", '{"sentence": "a"}\n', "jsonl"),
        ("a", '\ufeff\n {"sentence": "a"}\n', "jsonl"),
        ("-", "{}\n", "jsonl"),
        ("-", "{{cite web}} is a template\n", "text"),
        ("a.txt", "", "text"),
        ("a.txt", "\n\n", "text"),
        ("a.txt", "Marta\nOslo\n", "text"),
        ("a.txt", "Marta\n\nOslo\n\nPorto\n", "text"),  # lines of one word
        ("a.txt", "Marta\nKeller\n\nOslo\nNew York\n", "text"),
        ("a.txt", "Marta\nKeller\n\n", "columns"),
        ("a.txt", "Marta\nKeller\n \nOs", "columns"),
        ("a.txt", "Marta B-person\nis O\n\n", "columns"),
        ("a.txt", "New York\tB-LOC\n.\tO\n", "columns"),
        ("a.txt", "Marta B-person\n" * 12 + "is\n", "columns"),  # one that is broken
        ("a.tsv", "17\ta whole tweet\n18\tanother one\n", "text"),
        ("a.tsv", "#\thttp://example.org\t[2009]\n1\tMay\tB-PER\tO\n2\tkam\tO\tO\n", "columns"),
        ("a.txt", "#hashtags and words\n#others and words\n", "text"),
        ("a.txt", "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\n", "columns"),
        ("a.txt", "blood group O\nand the group is O\n", "text"),
        ("a.txt", "this is a sentence\nof text\n", "text"),
    ],
)
def test_how_a_file_is_recognised(name, head, kind):
    assert kind_of(name, head)[0] == kind


def test_the_user_says_what_a_file_holds(predict):
    (row, other, last), _ = predict({"words.txt": "Marta\nKeller\n\n"}, "--input-format", "text")
    assert (row["sentence"], other["sentence"], last["sentence"]) == ("Marta", "Keller", "")
    (row,), _ = predict({"words.txt": "Marta\nKeller\n"}, "--input-format", "columns")
    assert row["tokens"] == ["Marta", "Keller"]


def test_documents(predict, tagger, tmp_path):
    text = f"{MARTA}.\r\n\r\nMarta\r\nKeller is {OSLO}. Marta Keller"
    (first, second), _ = predict({"a.txt": text, "b.txt.gz": f"\ufeff{OSLO}"}, "--documents")
    assert first["file"] == str(tmp_path / "a.txt") and first["text"] == text and second["text"] == OSLO
    same(first, tagger.tag_document(text))
    starts = [text[sentence["start"] : sentence["end"]] for sentence in first["sentences"]]
    assert starts == [f"{MARTA}.", f"Marta\r\nKeller is {OSLO}.", "Marta Keller"]
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in first["entities"])
    (row,), _ = predict({"a.jsonl": json.dumps({"text": text, "id": 1})})
    same(row, tagger.tag_document(text))


def test_keys_are_kept_and_an_empty_line_is_an_empty_sentence(predict):
    row = {
        "tags": 1,
        "input_tags": 2,
        "words": None,
        "error": "old",
        "sentence": OSLO,
        "text": "other",
        "\ud83d": "\ud83d",
    }
    lines = ["", json.dumps(row), " \t", '{"sentence": "a", "x": [NaN, 1e999, {"y": -Infinity}]}']
    (first, second, third, fourth), _ = predict({"a.jsonl": "\n".join(lines)})
    empty = {"sentence": "", "words": [], "tags": [], "entities": []}
    assert first == third == empty
    kept = {"input_input_tags": 1, "input_tags": 2, "input_words": None, "input_error": "old", "\ud83d": "\ud83d"}
    assert {**second, **kept, "sentence": OSLO, "text": "other"} == second and second["tags"] == ["O", "S-location"]
    assert fourth["x"] == [None, None, {"y": None}]  # JSON has no such numbers
    results, _ = predict({"a.txt": f"\n{OSLO}\n\n"})
    assert results[0] == results[2] == empty and len(results) == 3


GOOD = json.dumps({"sentence": OSLO})
BAD_LINES = {
    "no JSON": (b"{broken", "not a line of JSON"),
    "a key that stands twice": (b'{"sentence": "a", "x": {"y": 1, "y": 1}}', "'y' stands there twice"),
    "brackets nested 100 000 deep": (b'{"sentence": "a", "x": ' + b"[" * 100_000, "not a line of JSON"),
    "JSON that is no object": (b"NaN", "expected"),
    "a sentence that is no text": (b'{"sentence": 1e999}', "must be a string"),
    "half a character (a lone surrogate)": (b'{"tokens": ["a", "\\ud83d"]}', "half a character"),
    "a NUL or another control character as it is": (b'{"sentence": "a\x00b"}', "control character"),
    "a number of 5 000 digits": (b'{"n": ' + b"1" * 5000 + b"}", "not a line of JSON"),
    "a sentence or list of tokens of more than 4 000 000 characters": (
        json.dumps({"tokens": ["a" * 4_000_001]}).encode(),
        "more than 4000000",
    ),
    "a line of more than 67 108 864 characters": (b"{" + b" " * 2**26, "the line has more than"),
}
OTHER_BAD_LINES = (
    b'{"sentence": "a", "sentence": "b"}',
    b"[" * 100_000,
    b'{"sentence": NaN}',
    b"\x00\x01",
    b'["a"]',
    b'"a"',
)
OTHER_BAD_LINES += (b'{"sentence": "cut \\ud83d"}', b'{"sentence": "a", "x": ' + b'{"x":' * 100_000)
GOOD_LINES = {
    "a byte that is not UTF-8": (
        b'{"sentence": "Caf\xc3\xa9 in Z\xfcrich \x93x\x94 \x81"}',
        "Café in Zürich “ x ” \ufffd",
    ),
    "a byte order mark at the start of a line": (b'\xef\xbb\xbf{"sentence": "Oslo"}', "Oslo"),
    "NaN and infinite numbers in other keys": (b'{"sentence": "Oslo", "x": [NaN, 1e999]}', "Oslo"),
    "a NUL as JSON writes it": (b'{"sentence": "a\\u0000b"}', "a\0b"),
    "an empty line": (b"", ""),
}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bad_row_is_an_error_of_its_own(processes, predict, archive_path, tmp_path):
    expected = {**dict(BAD_LINES.values()), **dict.fromkeys(OTHER_BAD_LINES, "")}
    good = {line: words.split(" ") if words else [] for line, words in GOOD_LINES.values()}
    lines = [line for row in [*expected, *good] for line in (row, GOOD.encode())]
    options = ["--predictor-args", json.dumps({"processes": processes}), "--batch-size", "5"]
    results, errors = predict({"in.jsonl": b"\n".join(lines)}, *options)
    for number, (line, row) in enumerate(zip(lines, results, strict=True), 1):
        if line in expected:
            assert expected[line] in row["error"] and "words" not in row
            if not {"sentence", "tokens", "n"} & row.keys():
                assert (row["file"], row["line"]) == (str(tmp_path / "in.jsonl"), number)
        else:
            assert row["words"] == good.get(line, ["at", "Oslo"])
    assert (
        f"{len(expected)} with errors" in errors
        and f"the first error: {tmp_path / 'in.jsonl'}, line 1: not a" in errors
    )
    assert f"(recode the file if that is wrong): 1, at {tmp_path / 'in.jsonl'}, line" in errors
    if processes == 1:  # the same by the actors of `predict-ray`
        actor = TaggingActor(str(archive_path), "jsonl", "jsonl").tagged
        tables = [actor(part.table())["json"].to_pylist() for part in parts([str(tmp_path / "in.jsonl")], 10**9)]
        for ours, theirs in zip(results, map(json.loads, sum(tables, [])), strict=True):
            assert (ours.get("error"), ours.get("words")) == (theirs.get("error"), theirs.get("words"))


def test_each_row_of_the_table_is_such_a_row(repository):
    text = (
        (repository / "docs" / "bad_input.md")
        .read_text(encoding="utf-8")
        .split("## Rows that are to be tagged")[1]
        .split("\n## ")[0]
    )
    names = {line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")} - {"row"}
    assert names == {*BAD_LINES, *GOOD_LINES}


def test_no_more_is_read_at_a_time_than_memory_is_meant_for():
    class Recorder:
        def tag_batches(self, batches):
            for batch in batches:
                sizes.append(len(batch))
                yield [{} for _ in batch]

    sizes: list[int] = []
    given = [inputs.Row("", {}, {"sentence": ""}, size) for size in [1] * 5000 + [2**20] * 3 + [2**19] * 4]
    answered = [row for row, _ in inputs.tag_rows(Recorder(), iter(given))]  # type: ignore[arg-type]
    assert answered == given and sizes == [2048, 2048, 905, 1, 1, 2, 2]


def test_bad_lines_of_text(predict, archive_path, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_LINE", 1000)
    lines = [b"Z\xfcrich", b"\xef\xbb\xbfOslo", b"a\x00b Oslo", b"b " * 1000, "caf\u2028é".encode(), b"Oslo"]
    results, errors = predict({"a.txt": b"\r\n".join(lines)})
    texts = ["Zürich", "Oslo", "a\0b Oslo", None, "caf\u2028é", "Oslo"]
    assert [row.get("sentence") for row in results] == texts
    assert results[3].keys() == {"file", "line", "error"} and "1 with errors" in errors
    assert "(recode the file if that is wrong): 1, at" in errors and "a.txt, line 1\n" in errors
    actor = TaggingActor(str(archive_path), "txt", "jsonl").tagged
    tables = [actor(part.table())["json"].to_pylist() for part in parts([str(tmp_path / "a.txt")], 10**6)]
    for ours, theirs in zip(results, map(json.loads, sum(tables, [])), strict=True):
        assert (ours.get("error"), ours.get("words")) == (theirs.get("error"), theirs.get("words"))


def test_a_row_that_cannot_be_written(predict):
    depth = sys.getrecursionlimit() // 3
    deep = '{"id": 7, "sentence": "a", "x": %s}' % ("[" * depth + "]" * depth)
    plain = rows.as_json
    (row, good), _ = predict({"a.jsonl": f"{deep}\n{GOOD}"})
    assert row["id"] == 7 and ("x" in row or "nested" in row["error"]) and good["words"]
    value: list = []
    for _ in range(100_000):
        value = [value]
    assert json.loads(plain({"id": 7, "x": value}))["error"].startswith("the row is nested")


def test_bad_columns(predict):
    content = "a B-X\nb\n\nMarta B-person\n\nb B-X O\n\n\n# a comment of many words\nat O\nOslo B-location"
    results, errors = predict({"a.conll": content})
    assert [row.get("words") for row in results] == [None, ["Marta"], None, None]
    assert "line 2: 1 columns in 'b', expected 2 as in line 1" in results[0]["error"]
    assert "line 6: 3 columns" in results[2]["error"] and "3 with errors" in errors
    results, _ = predict({"a.conll": "New York\tB-LOC\n\tO\n\nOslo\tO\n"})
    assert "line 2: the token in '\\tO' is empty" in results[0]["error"] and results[1]["words"] == ["Oslo"]


def test_columns_are_those_of_the_archive_s_reader(predict):
    content = "# text = at Oslo\n1\tat\tO\tx\n2\tOslo\tB-location\ty\n"
    overrides = {"dataset_reader": {"type": "columns", "token_column": 1, "tag_column": 2, "comment_prefix": "#"}}
    overrides = {f"dataset_reader.{key}": value for key, value in overrides["dataset_reader"].items()}
    (row,), _ = predict({"a.conll": content}, "--overrides", json.dumps(overrides))
    assert row["words"] == ["at", "Oslo"] and row["input_tags"] == ["O", "B-location"]
    (row,), _ = predict({"a.conll": "at\nOslo"}, "--overrides", json.dumps(overrides))
    assert row["words"] == ["at", "Oslo"] and "input_tags" not in row


def test_statuses(roseq, archive_path, tmp_path):
    path = tmp_path / "in.jsonl"
    for content, status in (("{}\n{}\n", 1), (f"{{}}\n{GOOD}\n", 0), ("", 0)):
        path.write_text(content)
        result = roseq("predict", archive_path, path)
        assert result.status == status and result.output.count("\n") == content.count("\n")
        assert result.errors.strip().splitlines()[-1].startswith("roseq predict: ")


def test_standard_input(roseq, archive_path, tmp_path):
    (tmp_path / "in").write_bytes(gzip.compress(f"{GOOD}\n".encode()))
    before = os.dup(0)
    try:
        for arguments in ([], ["-"]):
            with open(tmp_path / "in", "rb") as file:
                os.dup2(file.fileno(), 0)
                result = roseq("predict", archive_path, *arguments)
            assert result.status == 0 and json.loads(result.output)["words"] == ["at", "Oslo"], result.errors
    finally:
        os.dup2(before, 0)
        os.close(before)


TEXTS = {
    "a.jsonl": "\n".join([json.dumps({"sentence": MARTA, "id": 7}), "{}", json.dumps({"text": f"{OSLO}. \n\nOslo."})])
}
ENTITIES = [[(0, 12, "person"), (22, 26, "location")], [(3, 7, "location"), (11, 15, "location")]]


@pytest.fixture
def convert(roseq, archive_path, tmp_path):
    def run(output_format, files=TEXTS):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        output = tmp_path / "out"
        paths = [tmp_path / name for name in files]
        result = roseq("predict", archive_path, *paths, "--output-format", output_format, "-o", output)
        assert result.status == 0 and not result.output, result.errors
        if files is TEXTS:
            assert "a.jsonl, line 2: left out: expected" in result.errors
        assert not list(tmp_path.glob(".out*"))
        return output

    return run


def test_doccano(convert):
    found = [json.loads(line) for line in convert("doccano").read_text("utf-8").splitlines()]
    assert [[tuple(span) for span in row["label"]] for row in found] == ENTITIES
    assert found[0]["id"] == 7 and found[0]["text"] == MARTA


def test_prodigy(convert):
    found = [json.loads(line) for line in convert("prodigy").read_text("utf-8").splitlines()]
    spans = [[(span["start"], span["end"], span["label"]) for span in row["spans"]] for row in found]
    assert spans == ENTITIES and [token["text"] for token in found[0]["tokens"]] == MARTA.split()


def test_label_studio(convert):
    found = json.loads(convert("label-studio").read_text("utf-8"))
    values = [[item["value"] for item in task["annotations"][0]["result"]] for task in found]
    assert [[(v["start"], v["end"], v["labels"][0]) for v in row] for row in values] == ENTITIES


def test_brat(convert):
    output = convert("brat")
    found = []
    for path in sorted(output.glob("*.ann")):
        text = path.with_suffix(".txt").read_bytes().decode()
        spans = [line.split("\t")[1].split() for line in path.read_text("utf-8").splitlines()]
        found.append([(int(start), int(end), label) for label, start, end in spans])
        assert all(text[start:end] in (MARTA + f"{OSLO}. Oslo.") for start, end, _ in found[-1])
    assert found == ENTITIES


def test_spacy(convert):
    docs = list(spacy.tokens.DocBin().from_disk(convert("spacy")).get_docs(spacy.blank("en").vocab))
    found = [[(span.start_char, span.end_char, span.label_) for span in doc.ents] for doc in docs]
    assert found == ENTITIES and [sentence.text.strip() for sentence in docs[1].sents] == ["at Oslo.", "Oslo."]


def test_columns_are_what_score_reads(convert, roseq):
    rows_of_a_document = convert("columns").read_text("utf-8").split("\n\n")
    assert rows_of_a_document[1] == "at\tO\nOslo\tS-location\n.\tO" and len(rows_of_a_document) == 4
    files = {"gold.txt": COLUMNS, "odd.jsonl": json.dumps({"tokens": ["New York", " ", "Oslo"], "tags": ["O"] * 3})}
    output = convert("columns", files)
    odd = output.read_text("utf-8").split("\n\n")[-2].splitlines()
    assert [line.split("\t")[:2] for line in odd] == [["New York", "O"], ["Oslo", "O"]]  # without the space
    scores = json.loads(roseq("score", output, "--json").output)
    assert scores["overall"]["correct"] == 2 and scores["overall"]["gold"] == 2


def test_the_output_is_written_whole_or_not_at_all(roseq, archive_path, tmp_path):
    output, link = tmp_path / "out.jsonl", tmp_path / "link"
    output.write_text("before")
    link.symlink_to(output)
    damaged = gzip.compress(f"{GOOD}\n".encode() * 5000)[:-100]
    (tmp_path / "in.gz").write_bytes(damaged)
    result = roseq("predict", archive_path, tmp_path / "in.gz", "-o", output)
    assert result.status == 1 and "its gzip is damaged after row " in result.errors
    assert output.read_text() == "before" and not list(tmp_path.glob(".*"))
    result = roseq("predict", archive_path, tmp_path / "in.gz")  # what comes before it is written
    assert result.status == 1 and result.output.count("\n") > 2000
    assert roseq("predict", archive_path, "fixtures/sentences.jsonl", "-o", link).status == 0
    assert link.is_symlink() and output.read_text("utf-8").count("\n") == 3
    result = roseq("predict", archive_path, "fixtures/sentences.jsonl", "-o", tmp_path / "out.jsonl.gz")
    assert gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).decode() == output.read_text("utf-8")
    assert roseq("predict", archive_path, "fixtures/sentences.jsonl", "-o", os.devnull).status == 0
    assert not Path(os.devnull).is_file()


@Predictor.register("no_ner_tagger", exist_ok=True)
class NoNerTagger(Predictor):
    pass


def test_what_is_refused(roseq, archive_path, tmp_path):
    def error(*arguments, status=1):
        result = roseq("predict", *arguments)
        assert result.status == status and not result.output
        assert result.errors.startswith("roseq predict: error: ") and result.errors.count("\n") == 1, result.errors
        return result.errors

    (tmp_path / "a.txt").write_text(OSLO)
    (tmp_path / "b.txt").write_bytes(b"PK\x03\x04\0\0")
    good = (archive_path, tmp_path / "a.txt")
    assert "No such file" in error(archive_path, tmp_path / "none")
    assert "Is a directory" in error(archive_path, tmp_path)
    assert "office program" in error(archive_path, tmp_path / "b.txt")
    assert "no such archive" in error(tmp_path / "none", tmp_path / "a.txt")
    assert "at least 1, got 0" in error(*good, "--batch-size", "0")
    (tmp_path / "file").touch()
    assert "its directory cannot be made" in error(*good, "-o", tmp_path / "file" / "out")
    assert "is a directory" in error(*good, "-o", tmp_path)
    assert "standard output" in error(*good, "--output-format", "brat")
    assert "standard output" in error(*good, "--output-format", "spacy", "-o", "-")
    assert "writes nothing" in error(*good, "--silent")
    assert "one output" in error(*good, "-o", "a", "--output-file", "b")
    assert "no JSON object" in error(*good, "--predictor-args", "[1]")
    assert "unexpected keyword" in error(*good, "--predictor-args", '{"x": 1}')
    assert "`processes` must be" in error(*good, "--predictor-args", '{"processes": 0}')
    assert "spaCy has no language" in error(*good, "--predictor-args", '{"language": "qq"}')
    assert "-o {" in error(*good, "-o", '{"model')
    assert "nope" in error(*good, "--predictor", "nope")
    assert "does not inherit" in error(*good, "--predictor", "no_ner_tagger")
    assert "plain text" in error(*good, "--documents", "--input-format", "jsonl")
    assert "no standard input" in error(archive_path, "-", "--use-dataset-reader")
    assert "read once" in error(archive_path, "-", "-")
    if not torch.cuda.is_available():
        assert "cuda_device is 0" in error(*good, "--cuda-device", "0")


def test_the_archive_may_be_a_directory_and_its_config_changed(predict, archive_path, tmp_path):
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path / "run", filter="data")
    expected, _ = predict({"a.txt": MARTA})
    results, _ = predict({"a.txt": MARTA}, archive=tmp_path / "run")
    assert results == expected
    for options in (["-o", '{"model.top_k": 2}'], ["--overrides", '{"model.top_k": 2}']):
        (row,), _ = predict({"a.txt": MARTA}, *options)
        assert len(row["top_k_tags"]) == 2
    shutil.move(tmp_path / "run" / "weights.th", tmp_path / "other.th")
    shutil.copy(tmp_path / "other.th", tmp_path / "run" / "weights.th")
    results, _ = predict({"a.txt": MARTA}, "--weights-file", str(tmp_path / "other.th"))
    assert results == expected


def test_files_of_the_archive_s_own_reader(predict, tagger):
    results, errors = predict({"a": COLUMNS, "b": COLUMNS}, "--use-dataset-reader", "--batch-size", "1")
    assert [row["words"] for row in results] == [["Marta", "Keller"], ["at", "Oslo"]] * 2
    same(results[0], tagger.tag_tokens(["Marta", "Keller"]))
    assert results[0]["input_tags"] == ["B-person", "E-person"] and "4 tagged, 0 with errors" in errors


def test_the_command_of_allennlp_stays_as_it_is(predict, archive_path, tmp_path, monkeypatch, capfd):
    predict({"a.jsonl": GOOD})
    assert Subcommand.by_name("predict") is Predict
    command = ["allennlp", "predict", archive_path, tmp_path / "a.jsonl", "--include-package", "roseq_allennlp"]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--batch-size", "4", "--dataset-reader-choice", "train"])
    allennlp_main()
    first, second = filter(None, capfd.readouterr().out.splitlines())
    assert first == f"input 0:  {GOOD}" and json.loads(second.removeprefix("prediction: "))["words"] == ["at", "Oslo"]


def test_pipes_disks_and_signals_are_one_line(archive_path, tmp_path):
    command = [sys.executable, "-m", "roseq_allennlp", "predict", str(archive_path)]
    many = tmp_path / "many.txt"
    many.write_text(f"{OSLO}\n" * 200_000)

    def start(*arguments, **options):
        return subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options)

    closed = start(many, stdout=subprocess.PIPE)
    with open("/dev/full", "w") as full:
        disk = start(many, stdout=full)
    stopped = start(many, "-o", tmp_path / "out", stdout=subprocess.PIPE)
    assert closed.stdout is not None and json.loads(closed.stdout.readline())["words"] == ["at", "Oslo"]
    closed.stdout.close()
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".out*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    stopped.send_signal(signal.SIGINT)
    errors = [process.communicate(timeout=120)[1] for process in (closed, disk, stopped)]
    assert [process.returncode for process in (closed, disk, stopped)] == [1, 1, 130]
    assert all(text.count("\n") == 1 for text in errors), errors
    assert "the output was closed; " in errors[0] and "standard output: not written whole: No space left" in errors[1]
    assert errors[2] == "roseq predict: stopped.\n" and sorted(path.name for path in tmp_path.iterdir()) == ["many.txt"]
