"""One test for each row of docs/bad_input.md, by its name."""

import functools
import gzip
import http.server
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Union

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.predictors import NerTagger

CONFIG = "training_configs/fixture.jsonnet"
ENTITY = "Anna\tB-person\n"
VECTORS = "".join(f"{word} {' '.join(['0.1'] * 100)}\n" for word in ("the", "a", "in"))
FILES: dict[str, tuple[Any, str]] = {  # content of the training file; what the error says, "" for none
    "empty file": ("", "the file holds no sentence"),
    "only comments": ("# a\n# b\n", "line 1: 1 columns in '# a', at least 2"),
    "comments": ("# id = 1\n" + ENTITY, '`comment_prefix: "#"` leaves it out'),
    "binary file": (bytes(range(256)) * 10, "line 1: "),
    "gzip": (gzip.compress(ENTITY.encode()), ""),
    "damaged gzip": (gzip.compress(ENTITY.encode() * 99)[:-9], "its gzip is damaged"),
    "other compression": (b"\x28\xb5\x2f\xfd\x04", "is compressed by Zstandard. Unpack it: unzstd"),
    "UTF-16 with its mark": (ENTITY.encode("utf-16"), ""),
    "Windows quotation marks in cp1252": (b"\x93Anna\x94\tB-person\n", ""),
    "one line of UTF-8 damaged": (
        f"é\t{ENTITY}".replace("Anna\t", "").encode() + b"\xe9\tO\n",
        "line 2: byte 0xe9 is not UTF-8",
    ),
    "byte order marks within": (f"\ufeff{ENTITY}\n\ufeff{ENTITY}", ""),
    "line ends of an old Mac": (f"{ENTITY}b\tO\n\n".replace("\n", "\r"), ""),
    "wrong columns": ("a\nb\n", "line 1: 1 columns in 'a', at least 2 are needed between '\\t'"),
    "mixed separators": ("a\tO\nb O\n", "line 2: 1 columns in 'b O', expected 2 as in line 1"),
    "missing tag": ("a\tO\nb\n", "line 2: 1 columns in 'b', expected 2 as in line 1"),
    "empty tag": ("a\tO\nb\t\n", "line 2: the tag is empty"),
    "missing or empty token": ("a\tO\n\tO\n", "line 2: the token in '\\tO' is empty"),
    "stray column": ("a\tO\nb\tx\tO\n", "line 2: 3 columns in 'b\\tx\\tO', expected 2 as in line 1"),
    "space in a token": ("New York\tB-location\n", ""),
    "file without an empty line": (ENTITY * 60, ""),
    "invisible characters around a tag": ("Anna\tB-person\u200b\n", ""),
    "tags of another spelling": (
        "a\tb-person\n",
        'a prefix in lower case, which `tag_map: {"b-person": "B-person"}` reads',
    ),
    "unknown tags": (ENTITY + "b\t?\nc\t-\nd\tO\n", ""),
    "unknown tags alone": (ENTITY + "b\t?\n", "no token that is known to be O, so the tagger would mark every token"),
    "a dash for a tag": (ENTITY + "b\t-\n", "line 2: '-' is no tag of IOB2"),
    "undeclared type": ("a\tB-persn\n", ""),
    "wrong scheme": ("a\tS-x\n", "line 1: 'S-x' is no tag of IOB2"),
    "invalid tags": ("a\tO\nb\tI-person\n", ""),
    "training set without any entity": ("a\tO\nb\tO\n\nc\tO\n", ""),
    "training set of one sentence": (ENTITY + "b\tO\n", ""),
    "training set of one label": (ENTITY + "\n" + ENTITY, ""),
    "sentence of 1 token": (ENTITY, ""),
    "sentence of 5 000 tokens": ("a\tO\n" * 4999 + ENTITY, ""),
    "word of 10 000 characters": ("a" * 10_000 + "\tO\n" + ENTITY, ""),
}
CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "missing file": ({"train_data_path": "nope.conll"}, "nope.conll: no such file. Data paths are relative"),
    "a directory": ({"train_data_path": "fixtures"}, "fixtures: expected a file, got a directory"),
    "misspelt key of the model": (
        {"model.gama": 2},
        "-o: `model.gama`: LabelAwareCrfTagger has no such key; did you mean `gamma`?",
    ),
    "misspelt key of the trainer": (
        {"trainer.num_epoch": 2},
        "`trainer.num_epoch`: GradientDescentTrainer has no such",
    ),
    "misspelt key of a nested component": (
        {"model.text_field_embedder.token_embedders.tokens.trainble": True},
        "`model.text_field_embedder.token_embedders.tokens.trainble`: FixedEmbedding has no such key",
    ),
    "key in the wrong place": (
        {"num_epochs": 2},
        "`num_epochs`: a training config has no such key; did you mean `trainer.",
    ),
    "misspelt type": (
        {"model.encoder.type": "lstmm"},
        "no Seq2SeqEncoder is registered as 'lstmm'. Did you mean 'lstm'?",
    ),
    "wrong type of a number": ({"model.tau": "abc"}, "`model.tau`: must be a number; got 'abc'"),
    "number of epochs, batch size or patience below 1": (
        {"trainer.num_epochs": 0},
        "`trainer.num_epochs`: must be at least 1; got 0",
    ),
    "value that a component refuses": (
        {"trainer.optimizer.lr": -1},
        "`trainer.optimizer` does not fit: Invalid learning rate: -1",
    ),
    "`use_amp` without a GPU": ({"trainer.use_amp": True}, "`trainer.use_amp`: needs a GPU, and PyTorch finds none"),
    "GPU that is not there": (
        {"trainer.cuda_device": 0},
        "`trainer.cuda_device`: is 0, but the GPUs that PyTorch finds",
    ),
    "overrides that replace a component": (
        {"model": {"gamma": 1}},
        "-o replaces `model` as a whole; to change a part of it",
    ),
    "overrides of what is not there": ({"trainr.num_epochs": 1}, "-o: `trainr.num_epochs`: the config has no `trainr`"),
    "two switches that exclude each other": ({"model.label_weights": {"O": 1.0}}, "set only one"),
    "model from an archive": (
        {"model": {"type": "from_archive", "archive_file": "fixtures/archive/model.tar.gz"}},
        "`model` is from_archive: what this trains would need it",
    ),
    "teacher of `distillation` that reads other words": (
        {"trainer.callbacks": [{"type": "distillation", "teacher": "fixtures/archive/model.tar.gz"}]},
        "distillation: the teacher fixtures/archive/model.tar.gz has other ids of orthographic, token_characters, tokens",
    ),
    "encoder that is missing": (
        {"dataset_reader.token_indexers.tokens": {"type": "transformer", "model_name": "./nope"}},
        "the encoder './nope' cannot be read",
    ),
    "ε < 0": ({"trainer.callbacks": [{"type": "adversarial", "epsilon": -1}]}, "epsilon must be a finite number"),
    "dropout > 1": ({"model.dropout": 2}, "dropout is a share of values, from 0 to 1"),
    "γ < 0": ({"model.gamma": -1}, "gamma must be a finite number of at least 0"),
    "τ < 0": ({"model.tau": -0.1}, "tau must be a finite number of at least 0"),
}
VECTOR_FILES: dict[str, tuple[Any, str]] = {
    "vectors of the wrong width": ("the 0.1 0.2\na 0.1 0.2\n", "set `embedding_dim` to 2"),
    "vectors with a header line": ("3 100\n" + VECTORS, ""),
    "vectors with a broken line": (VECTORS + "bad " + " ".join(["x"] * 100) + "\n", "vectors.txt, line 4: "),
    "vectors with a number that is none": (VECTORS + "bad " + " ".join(["nan"] * 100) + "\n", "vectors.txt, line 4: "),
    "vectors without a line": ("", "vectors.txt: cannot be read as word vectors (it is empty)"),
    "vectors with byte order marks, tabs or runs of spaces": ("\ufeff3 100\n" + VECTORS.replace(" ", "\t"), ""),
    "vectors in cp1252 or ISO-8859-1": (
        VECTORS.encode() + b"z\xfcrich" + b" 0.1" * 100 + b"\n",
        "line 4: byte 0xfc is not utf-8. Recode the file",
    ),
    "binary vectors": (b"1 100\nthe " + struct.pack("<100f", *map(math.sqrt, range(1, 101))), "as word2vec writes it"),
    "vectors with other separators": (VECTORS.replace(" ", ","), "no word and 100 numbers with spaces or tabs between"),
}
ADDRESSES: dict[str, tuple[str, bytes, str]] = {
    "vectors from an address that answers with a web page": ("v.txt", b"<!DOCTYPE html><p>Log in", "is a web page"),
    "vectors from an address that are not compressed as it ends": ("v.txt.gz", VECTORS.encode(), "the file is not .gz"),
    "vectors from an address that are no vectors": (
        "v.txt",
        b"Please log in\n",
        "a word and 100 numbers, as word vectors",
    ),
    "vectors from an address that has none": ("v.txt", b"", "the server has no such file (404)"),
}
TEXTS = {
    "text of 0 tokens": " ",
    "text of 5 000 tokens": "Oslo " * 5000,
    "text with a word of 10 000 characters": "a" * 10_000,
    "text with a word of 300 000 characters": "a" * 300_000,
}
TOKENS = {
    "white space among the tokens": ["Oslo", " ", "\n", "is"],
    "tokens that are only white space": [" ", "\u00a0"],
    "tokens that are named as the vocabulary's own": ["@@PADDING@@", "@@UNKNOWN@@", "@@PADDING@@"],
}
NO_INPUT: dict[str, tuple[dict[str, Any], str]] = {
    "an empty string among the tokens": ({"tokens": ["Oslo", ""]}, "none of them empty"),
    "half a character in a text": ({"text": "Oslo \ud83d"}, "`text` has half a character, \\ud83d"),
    "half a character in tokens": ({"tokens": ["Oslo", "\ude00"]}, "`tokens` has half a character, \\ude00"),
}
OTHERS = {"no permission", "labels never seen in training", "vectors that are missing"}
OTHERS |= {"text in a language whose package is missing"}
OTHERS |= {"overrides that are no JSON", "failure before the first training step"}
OTHERS |= {"config that is no Jsonnet", "config that is missing", "labels of another scheme"}


@pytest.fixture
def train(roseq, tmp_path):
    def run(overrides: dict[str, Any], config: Any = CONFIG) -> str:
        """The error, "" for none."""
        callbacks = [{"type": "label_statistics"}, {"type": "adversarial"}]
        overrides = {"trainer.num_epochs": 1, "trainer.callbacks": callbacks, **overrides}
        result = roseq("train", config, "-s", tmp_path / "run", "-o", json.dumps(overrides), "--quiet")
        if result.status == 0:
            assert (tmp_path / "run" / "model.tar.gz").exists()
            return ""
        assert result.status == 1 and "Traceback" not in result.errors
        assert not (tmp_path / "run").exists()  # so that the corrected command runs
        (line,) = [line for line in result.errors.splitlines() if line.startswith("roseq train: error: ")]
        return line

    return run


def check(error: str, expected: str) -> None:
    assert expected in error if expected else not error, error


@pytest.mark.parametrize("name", FILES)
def test_files(name, train, tmp_path):
    content, expected = FILES[name]
    path = tmp_path / "train.conll"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    error = train({"train_data_path": str(path)})
    check(error, expected)
    assert str(path) in error or not expected


@pytest.mark.parametrize("name", CONFIGS)
def test_configs(name, train):
    overrides, expected = CONFIGS[name]
    check(train(overrides), expected)


@pytest.mark.parametrize("name", VECTOR_FILES)
def test_vectors(name, train, tmp_path):
    content, expected = VECTOR_FILES[name]
    (tmp_path / "vectors.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    check(train(vectors(tmp_path / "vectors.txt")), expected)


@pytest.mark.parametrize("name", ADDRESSES)
def test_vectors_from_an_address(name, train, tmp_path, monkeypatch):
    file, content, expected = ADDRESSES[name]
    if content:
        (tmp_path / file).write_bytes(content)
    monkeypatch.setenv("NO_PROXY", "*")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *arguments: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{file}"
        error = train(vectors(address))
        server.shutdown()
    check(error, expected)
    assert address in error


def vectors(path: Union[str, Path]) -> dict[str, Any]:
    key = "model.text_field_embedder.token_embedders.tokens.pretrained_file"
    return {key: str(path), "vocabulary.pretrained_files": {"tokens": str(path)}}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name, tagger):
    answer = tagger.tag(TEXTS[name])
    assert answer["words"] == TEXTS[name].split() and len(answer["tags"]) == len(answer["words"])


@pytest.mark.parametrize("name", TOKENS)
def test_tokens(name, tagger):
    answer = tagger.tag_tokens(TOKENS[name])
    assert answer["words"] == TOKENS[name] and len(answer["tags"]) == len(answer["words"])
    assert all(tag == "O" for word, tag in zip(TOKENS[name], answer["tags"], strict=True) if not word.strip())


@pytest.mark.parametrize("name", NO_INPUT)
def test_input_with_an_error_of_its_own(name, tagger):
    row, expected = NO_INPUT[name]
    wrong, right = tagger.predict_batch_json([row, {"sentence": "Oslo"}])
    check(wrong["error"], expected)
    assert right["words"] == ["Oslo"]


def test_a_language_whose_package_is_missing(tagger, monkeypatch):
    monkeypatch.setitem(sys.modules, "natto", None)
    korean = NerTagger(tagger._model, tagger._dataset_reader, language="ko")
    assert korean.tag_tokens(["Oslo"])["words"] == ["Oslo"]
    with pytest.raises(ConfigurationError, match="`language` 'ko' needs a package that is not installed. spaCy says: "):
        korean.tag("Oslo")


def test_no_permission(train, tmp_path, monkeypatch):
    path = tmp_path / "train.conll"
    path.write_text(ENTITY)
    path.chmod(0)
    if os.getuid() == 0:  # whom permissions do not stop
        plain = open

        def refuse(file, *arguments, **options):
            if str(file) == str(path):
                raise PermissionError(13, "Permission denied", str(file))
            return plain(file, *arguments, **options)

        monkeypatch.setattr("roseq_allennlp.data.text_files.open", refuse, raising=False)
    check(train({"train_data_path": str(path)}), f"Permission denied: '{path}'")


def test_labels_never_seen_in_training(train, tmp_path, archive_path):
    path = tmp_path / "dev.conll"
    path.write_text("a\tB-animal\nb\tO\n")
    check(train({"validation_data_path": str(path)}), "")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["validation_recall-animal"] == 0 and metrics["validation_f1-measure-overall"] == 0
    for module in ("roseq_allennlp", "allennlp"):
        output = tmp_path / f"{module}.json"
        arguments = ["evaluate", archive_path, path, "--output-file", output, "--include-package", "roseq_allennlp"]
        process = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True)
        assert process.returncode == 0 and "scored as missed: 'animal'" in process.stderr, process.stderr
        scores = json.loads(output.read_text())
        assert scores["recall-animal"] == scores["recall-overall"] == 0 and scores["accuracy"] < 1


def test_labels_of_another_scheme(train, tmp_path):
    found = []
    for number, tags in enumerate(
        (("B-person", "I-person", "B-person", "O"), ("B-person", "E-person", "S-person", "O"))
    ):
        path = tmp_path / f"{number}.conll"
        path.write_text("".join(f"{word}\t{tag}\n" for word, tag in zip(("Anna", "Li", "Bo", "x"), tags, strict=True)))
        config = {"dataset_reader.type": "columns", "validation_data_path": str(path)}
        check(train(config), "")
        found.append(json.loads((tmp_path / "run" / "metrics.json").read_text())["validation_loss"])
        shutil.rmtree(tmp_path / "run")
    assert found[0] == found[1]


def test_vectors_and_configs_that_are_missing(train):
    check(train(vectors(Path("nope.txt"))), "nope.txt not found")
    check(train({}, "nope.jsonnet"), "file nope.jsonnet not found")


def test_a_config_that_is_no_jsonnet(train, tmp_path):
    (tmp_path / "bad.jsonnet").write_text("{ a: ")
    check(train({}, tmp_path / "bad.jsonnet"), "bad.jsonnet:1:6")


def test_overrides_that_are_no_json(roseq, tmp_path):
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", "trainer.num_epochs=1")
    check(result.errors, "roseq train: error: -o trainer.num_epochs=1: is no JSON (")
    assert CONFIG not in result.errors and result.errors.count("\n") == 1


def test_each_row_of_the_table_is_a_test(repository):
    lines = (repository / "docs" / "bad_input.md").read_text(encoding="utf-8").split("\n## ")[0].splitlines()
    rows = {line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")} - {"input"}
    assert rows == {*FILES, *CONFIGS, *VECTOR_FILES, *ADDRESSES, *TEXTS, *TOKENS, *NO_INPUT, *OTHERS}
