import json
import os
import random
import subprocess
import sys

import pytest
from seqeval.metrics import classification_report

FILE = "John B-PER B-PER\nSmith I-PER I-PER\nis O O\nin O B-LOC\nYork B-LOC I-LOC\n\n-X- O O\nParis I-LOC I-LOC\n"
# What conlleval.pl, version of 2004-01-26, prints for it.
LAYOUT = (
    "processed 6 tokens with 3 phrases; found: 3 phrases; correct: 2.\n"
    "accuracy:  66.67%; precision:  66.67%; recall:  66.67%; FB1:  66.67\n"
    "              LOC: precision:  50.00%; recall:  50.00%; FB1:  50.00  2\n"
    "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
)


@pytest.fixture
def written(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "tagged.txt"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        FILE,
        FILE.replace(" ", "\t"),
        FILE.replace(" ", "\t", 3),
        FILE.replace(" ", "  "),
        FILE.replace("\n", "\r\n"),
        FILE.replace("\n\n", "\n \t\n \n"),
        "\n\n" + FILE + "\n\n",
        FILE.replace("is O", "i s O").replace(" O O", "\tO\tO").replace(" B-", "\tB-").replace(" I-", "\tI-"),
        "\n".join(line.replace(" ", " NNP ", 1) if line else line for line in FILE.split("\n")),
        "\n".join(line.partition(" ")[2] if line[:3] != "-X-" else "" for line in FILE.split("\n")),
    ],
)
def test_prints_what_conlleval_prints(roseq, written, text):
    assert roseq("score", written(text)) == (0, LAYOUT, "")


def test_standard_input(roseq, written, monkeypatch):
    saved = os.dup(0)
    try:
        for arguments in ([], ["-"]):
            with open(written(FILE)) as file:
                os.dup2(file.fileno(), 0)
            assert roseq("score", *arguments).output == LAYOUT
    finally:
        os.dup2(saved, 0)


def test_what_is_not_utf_8_goes_through(roseq, written):
    path = written(FILE.replace("John", "Jos\xe9"), "iso-8859-1")
    assert roseq("score", path).output == LAYOUT
    assert roseq("score", path, "--surface").status == 0
    path = written("a B-caf\xe9 B-caf\xe9\n", "iso-8859-1")
    command = [sys.executable, "-m", "roseq_allennlp", "score", path]
    assert b"caf\xe9" in subprocess.run(command, capture_output=True, check=True).stdout


def test_surface(roseq, written):
    text = FILE + "\nParis B-LOC B-LOC\n\nparis B-LOC O\n"
    status, output, _ = roseq("score", written(text), "--surface")
    assert status == 0
    assert output.splitlines()[4:] == [
        "surface forms: 4; found: 3; correct: 2.",
        "precision:  66.67%; recall:  50.00%; FB1:  57.14",
        "              LOC: precision:  50.00%; recall:  33.33%; FB1:  40.00  2",
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1",
    ]


def test_json(roseq, written):
    result = json.loads(roseq("score", written(FILE), "--json").output)
    assert result["overall"] == {
        **{"precision": 200 / 3, "recall": 200 / 3, "f1": 200 / 3},
        **{"correct": 2, "predicted": 3, "gold": 3},
    }
    assert result["types"]["LOC"]["f1"] == 50 and result["tokens"] == 6 and result["correct_tokens"] == 4
    assert result["surface_forms"]["overall"]["correct"] == 2
    assert result["token_labels"]["O"]["recall"] == 50
    assert result["errors"] is None or result["errors"]["boundary"] == 1
    assert result["averages"]["macro"]["f1"] == 75


@pytest.mark.parametrize("seed", range(5))
def test_averages_are_those_of_seqeval(seed, roseq, written):
    draw = random.Random(seed)
    tags = [["O", "B-A", "I-A", "B-B", "I-B", "B-C"][: 6 - seed], ["O", "B-A", "I-B", "B-D"]]
    sides = [[draw.choice(choice) for _ in range(60)] for choice in tags]
    result = json.loads(roseq("score", written("\n".join(map("w {} {}".format, *sides))), "--json").output)
    report = classification_report(*([side] for side in sides), output_dict=True, zero_division=0)
    for average in ("macro", "weighted"):
        expected = [100 * report[f"{average} avg"][name] for name in ("precision", "recall", "f1-score")]
        assert list(result["averages"][average].values()) == pytest.approx(expected)


def test_json_without_words_or_entities(roseq, written):
    result = json.loads(roseq("score", written("O O\nO O\n"), "--json").output)
    assert result["surface_forms"] is None and result["averages"] == {} and result["accuracy"] == 100


def test_nothing(roseq, written):
    assert roseq("score", written("")).output == "processed 0 tokens with 0 phrases; found: 0 phrases; correct: 0.\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("a O O\n\nb O\n", "tagged.txt, line 3: 2 columns in 'b O'"),
        ("O\n", "line 1: 1 columns in 'O'"),
        ("a O B-\n", "line 1: 'B-' is no tag"),
        ("a NN O\n", "line 1: 'NN' is no tag"),
    ],
)
def test_errors_name_the_line(roseq, written, text, message):
    status, output, errors = roseq("score", written(text))
    assert (status, output) == (1, "") and errors.startswith("roseq score: error: ") and message in errors
    assert len(errors.splitlines()) == 1


def test_other_errors(roseq, written, tmp_path):
    assert "No such file" in roseq("score", tmp_path / "none").errors
    assert "--surface needs the tokens" in roseq("score", written("O O\n"), "--surface").errors


@pytest.mark.parametrize("unknown", ["?", "-"])
def test_unknown_gold_tags(roseq, written, unknown):
    text = f"John B-PER B-PER\nSmith I-PER I-PER\nis O O\nin {unknown} B-LOC\nYork {unknown} I-LOC\nnow O B-LOC\n"
    assert roseq("score", written(text), "--surface").output == (
        "processed 4 tokens with 1 phrases; found: 2 phrases; correct: 1.\n"
        "accuracy:  75.00%; precision:  50.00%; recall: 100.00%; FB1:  66.67\n"
        "              LOC: precision:   0.00%; recall:   0.00%; FB1:   0.00  1\n"
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
        "surface forms: 1; found: 2; correct: 1.\n"
        "precision:  50.00%; recall: 100.00%; FB1:  66.67\n"
        "              LOC: precision:   0.00%; recall:   0.00%; FB1:   0.00  1\n"
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
    )
    scores = json.loads(roseq("score", written(text), "--json").output)
    assert scores["tokens"] == 4 and scores["token_labels"]["O"]["gold"] == 2
    assert scores["averages"]["macro"]["recall"] == 50.0


def test_unknown_tags_that_cannot_be(roseq, written):
    path = written("a - B-X\nb B-X B-X\n")
    assert roseq("score", path).errors.startswith(
        f"roseq score: error: {path}, line 1: the gold tag '-' is unknown in a"
    )
    path = written("a O ?\n")
    assert f"{path}, line 1: '?' is no tag of a known scheme" in roseq("score", path).errors
