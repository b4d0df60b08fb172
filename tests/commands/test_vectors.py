import gzip
from pathlib import Path

import numpy as np
import pytest

TEXT = "The ferry from Oslo was late . The ferry left Oslo at noon . Don\u2019t wait for the ferry to Narvik .\n" * 3


def read(path: Path) -> dict[str, list[float]]:
    lines = (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8").read().splitlines()
    return {line.split(" ")[0]: list(map(float, line.split(" ")[1:])) for line in lines}


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "news.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def test_by_an_encoder(roseq, text, tmp_path, tiny_encoder) -> None:
    columns = tmp_path / "more.conll"
    columns.write_text("Tromsø\tU-LOC\n\nNarvik\tU-LOC\n", encoding="utf-8")
    output = tmp_path / "new" / "words.vec.gz"
    result = roseq("vectors", str(tiny_encoder), text, str(columns), "-o", str(output), "--dim", "4")
    assert result.status == 0, result.errors
    assert f"vectors.fixed('{output}', 4)" in result.output
    vectors = read(output)
    assert {"oslo", "tromsø", "narvik", "don't", "ferry"} <= vectors.keys()
    assert {len(vector) for vector in vectors.values()} == {4}
    assert list(vectors)[0] in ("the", "ferry", ".")  # the most frequent ones first
    assert np.linalg.norm(list(vectors.values()), axis=1).mean() == pytest.approx(6.0, abs=1e-3)


def test_from_text(roseq, text, tmp_path) -> None:
    pytest.importorskip("gensim")
    output = tmp_path / "words.vec"
    result = roseq("vectors", "--text", text, "-o", str(output), "--dim", "7", "--epochs", "2")
    assert result.status == 0, result.errors
    assert {"oslo", "narvik", "don't"} <= read(output).keys()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["ENCODER"], "give an encoder and text"),
        (["ENCODER", "TEXT", "--dim", "0"], "--dim and --epochs must be at least 1; got 0 and 10"),
        (["ENCODER", "TEXT", "--dim", "500"], "can have 1 to "),
        (["ENCODER", "missing.txt"], "missing.txt: No such file"),
        (["no/encoder", "TEXT"], "the encoder 'no/encoder' cannot be read"),
        (["ENCODER", "EMPTY"], "there are no words in the text"),
        (["--text", "EMPTY"], "there are no words in the text"),
    ],
)
def test_mistakes_are_one_line(arguments, message, roseq, text, tmp_path, tiny_encoder, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty.txt").write_text("\n")
    names = {"ENCODER": str(tiny_encoder), "TEXT": text, "EMPTY": str(tmp_path / "empty.txt")}
    output = tmp_path / "words.vec"
    result = roseq("vectors", *[names.get(argument, argument) for argument in arguments], "-o", str(output))
    assert result.status != 0 and not output.exists()
    assert message in result.errors
    assert "Traceback" not in result.errors
