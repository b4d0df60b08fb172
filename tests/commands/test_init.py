import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import _jsonnet
import pytest
from allennlp.common import Params
from allennlp.data import DatasetReader

from roseq_allennlp.data.formats import FORMATS
from tests.test_configs import check_trained

TRAIN, DEV, TEST = (
    f"fixtures/wnut17/{name}" for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
)


def config_of(directory):
    return json.loads(_jsonnet.evaluate_file(str(directory / "config.jsonnet")))


def sentences(path):
    """What a file of columns holds, read without the package."""
    blocks = re.split(r"\n\s*\n", Path(path).read_text(encoding="utf-8").strip())
    return [[tuple(line.split("\t")) for line in block.split("\n")] for block in blocks]


def read(config, key):
    reader = DatasetReader.from_params(Params(json.loads(json.dumps(config["dataset_reader"]))))
    return [
        list(zip(instance["metadata"]["words"], instance["metadata"]["tags"], strict=True))
        for instance in reader.read(config[key])
    ]


def in_bioul(path):
    """`sentences` in BIOUL, from IOB2."""
    result = []
    for sentence in sentences(path):
        tags = [tag for _, tag in sentence] + ["O"]
        ends = [not following.startswith("I") for following in tags[1:]]
        prefixes = {("B", True): "U", ("B", False): "B", ("I", True): "L", ("I", False): "I"}
        result.append(
            [
                (word, tag if tag == "O" else prefixes[tag[0], end] + tag[1:])
                for (word, tag), end in zip(sentence, ends, strict=True)
            ]
        )
    return result


def test_without_data_it_gives_the_fixtures(roseq, tmp_path):
    directory = tmp_path / "demo"
    result = roseq("init", f"{directory}/")
    assert (result.status, result.errors) == (0, "")
    assert f"  roseq train {directory}/config.jsonnet -s {directory}/run\n" in result.output
    for name, source in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        assert sentences(directory / f"{name}.conll") == sentences(source)
    config = config_of(directory)
    assert read(config, "train_data_path") == in_bioul(TRAIN) and read(config, "validation_data_path") == in_bioul(DEV)
    source = """
        (import 'training_configs/lib/roseq.libsonnet')(
          (import 'training_configs/lib/corpora.libsonnet').wnut17 { reader: 'columns', train: %s, dev: %s },
          (import 'training_configs/lib/vectors.libsonnet').learned(50), %s)
    """
    switches = {"batch_size": 4, "num_epochs": 150, "patience": 50, "lacrf": False, "fl": False, "at": False}
    paths = [json.dumps(str(directory / name)) for name in ("train.conll", "dev.conll")]
    assert config == json.loads(_jsonnet.evaluate_snippet("", source % (*paths, json.dumps(switches))))
    shutil.move(directory / "lib", tmp_path / "elsewhere")
    with pytest.raises(RuntimeError):
        config_of(directory)  # it imports the copy beside it
    shutil.move(tmp_path / "elsewhere", directory / "lib")
    check_trained(config, directory / "run")


@pytest.mark.parametrize("name", FORMATS)
def test_each_format(roseq, tmp_path, name):
    extension = FORMATS[name].extension
    for role, source in (("train", TRAIN), ("dev", DEV)):
        assert roseq("convert", source, tmp_path / f"{role}{extension}", "--to", name).status == 0
    result = roseq("init", tmp_path / "new", "--data", tmp_path / f"dev{extension}", tmp_path / f"train{extension}")
    assert (result.status, result.errors) == (0, "")
    assert re.search(rf"^train +\S+/train{extension} \({name}", result.output, re.MULTILINE)
    config = config_of(tmp_path / "new")
    found, expected = read(config, "train_data_path"), in_bioul(TRAIN)
    if FORMATS[name].needs_tokens or name == "prodigy":
        assert found == expected
    else:  # without tokens: short texts are one sentence each
        assert len(found) == len(expected) and config["dataset_reader"]["split_sentences"] is False
    if name in ("doccano", "hf"):
        check_trained(config, tmp_path / "run")


def test_one_file_is_divided(roseq, tmp_path):
    for name in ("a", "b"):
        result = roseq("init", tmp_path / name, "--data", TRAIN)
        assert "was divided at random: 80 % for training, 20 % for development, seed 1" in result.output
    train, dev = (sentences(tmp_path / "a" / f"{role}.conll") for role in ("train", "dev"))
    whole = sentences(TRAIN)
    assert sorted(train + dev) == sorted(whole) and 0.15 < len(dev) / len(whole) < 0.25
    texts = [{" ".join(word for word, _ in sentence) for sentence in part} for part in (train, dev)]
    assert not texts[0] & texts[1]
    assert (tmp_path / "a/dev.conll").read_bytes() == (tmp_path / "b/dev.conll").read_bytes()
    config = config_of(tmp_path / "a")
    assert config["train_data_path"] == str(tmp_path / "a/train.conll")
    assert len(read(config, "validation_data_path")) == len(dev)


def test_a_divided_file_and_its_test_file_have_the_same_columns(roseq, tmp_path):
    source = "fixtures/conll2003"
    result = roseq("init", tmp_path / "new", "--data", f"{source}/eng.train", f"{source}/eng.testb")
    assert result.status == 0 and "(columns, IOB2)" in result.output
    for role in ("train", "dev", "test"):
        assert {
            len(line.split("\t")) for line in (tmp_path / f"new/{role}.conll").read_text().splitlines() if line
        } == {2}


def test_sizes_tell_the_model_and_the_training(roseq, tmp_path):
    (tmp_path / "dev.conll").write_text("Oslo B-LOC\n\n")
    sizes = [
        (199, (4, 150, 50, False)),
        (200, (4, 150, 50, True)),
        (300, (8, 100, 30, True)),
        (1500, (16, 50, 15, True)),
    ]
    for number, expected in sizes:
        (tmp_path / "train.conll").write_text("".join(f"in O\nplace{i} B-LOC\n\n" for i in range(number)))
        data = ["--data", tmp_path / "train.conll", tmp_path / "dev.conll"]
        result = roseq("init", tmp_path / str(number), *data)
        config = config_of(tmp_path / str(number))
        trainer = config["trainer"]
        found = (
            config["data_loader"]["batch_size"],
            trainer["num_epochs"],
            trainer["patience"],
            "tau" in config["model"],
        )
        assert found == expected and f"{number} sentences" in result.output


def test_vectors_encoder_and_language(roseq, tmp_path):
    data = ["--data", TRAIN, DEV]
    vectors = "fixtures/glove/glove.6B.100d.subset.txt.gz"
    for number, (options, key, expected) in enumerate(
        [
            ([], "type", "embedding"),
            (["--vectors", vectors], "pretrained_file", os.path.abspath(vectors)),
            (["--vectors", "glove-6b-100d"], "pretrained_file", "corpus://glove-6b-100d/vectors.txt"),
            (["--encoder", "some/encoder"], "model_name", "some/encoder"),
        ]
    ):
        result = roseq("init", tmp_path / str(number), *data, *options, "--language", "de")
        assert result.status == 0 and all(option in result.output for option in options[:1])
        config = config_of(tmp_path / str(number))
        assert config["model"]["text_field_embedder"]["token_embedders"]["tokens"][key] == expected
        assert config["dataset_reader"]["language"] == "de"


def test_what_is_odd_about_a_file_is_said_once(roseq, tmp_path):
    for role in ("train", "dev"):
        (tmp_path / f"{role}.txt").write_bytes("“Zürich” B-LOC\n\nis I-X\n".encode("cp1252"))
    result = roseq("init", tmp_path / "new", "--data", tmp_path / "train.txt", tmp_path / "dev.txt")
    lines = result.errors.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        *("line 1 is not UTF-8, the file is read as cp1252",) * 2,
        *("invalid IOB2 tags repaired",) * 2,
    ] and result.status == 0
    assert read(config_of(tmp_path / "new"), "train_data_path")[0] == [("“Zürich”", "U-LOC")]


def test_any_name_of_a_directory(roseq, tmp_path):
    directory = tmp_path / "it's\nmine"
    result = roseq("init", directory)
    assert result.status == 0 and config_of(directory)["train_data_path"] == str(directory / "train.conll")


def test_files_packed_by_gzip_with_the_same_name_and_odd_types(roseq, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "it's.conll.gz").write_bytes(gzip.compress(b"Oslo B-it's\nis O\n\n"))
    result = roseq("init", "new", "--data", "a/it's.conll.gz", "b/it's.conll.gz")
    assert "the names do not tell what a file is for" in result.output
    config = config_of(Path("new"))
    assert config["train_data_path"] == str(tmp_path / "a/it's.conll.gz")
    assert read(config, "validation_data_path") == [[("Oslo", "U-it's"), ("is", "O")]]


@pytest.mark.parametrize(
    "files, message",
    [
        ({"a.conll": ""}, "a.conll: the file is empty"),
        ({"a.txt": "\n \n"}, "a.txt: the file is empty"),
        ({"a.conll": "Oslo O\n\nRome O\n"}, "a.conll: none of its 2 words is labelled as an entity"),
        ({"train.conll": "Oslo B-LOC\n", "dev.conll": "Rome O\n"}, "dev.conll: none of its 1 words"),
        ({"a.txt": "We fly to Oslo\n"}, "begins none of the known formats. Give labelled data"),
        ({"a.jsonl": '{"sentence": "Oslo"}\n'}, "is in none of the known formats. Give labelled data"),
        ({"a.conll": "Oslo\nRome\n"}, "a.conll: none of its columns holds entity tags"),
        ({"a.conll": "Oslo B-LOC\n\n1 O\n\n2 O\n\n3 O\n\n4 O\n"}, "a.conll: has too few entities to be divided"),
        ({"a.conll": "Oslo B-LOC\n"}, "a.conll: has too little text to be divided"),
        (
            {"train.conll": "Oslo B-LOC\n", "dev.jsonl": '{"text": "Oslo", "label": [[0, 4, "LOC"]]}\n'},
            "different formats",
        ),
        ({"train.conll": "Oslo B-LOC\n", "missing.conll": None}, "missing.conll: no such file"),
        (
            {"train.conll": "Oslo B-LOC\nRome\nat O\nis O\n", "dev.conll": "Oslo B-LOC\n"},
            "train.conll, line 2: 1 columns",
        ),
        ({"a.bin": "\x00\x01\x02\x03"}, "begins none of the known formats"),
    ],
)
def test_bad_data_is_one_line_and_leaves_nothing(roseq, tmp_path, monkeypatch, files, message):
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        if text is not None:
            Path(name).write_text(text)
    result = roseq("init", "new", "--data", *files)
    assert (result.status, result.output) == (1, "") and not Path("new").exists()
    assert (
        result.errors.startswith("roseq init: error: ") and result.errors.count("\n") == 1 and message in result.errors
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--vectors", "missing.txt"],
            "--vectors missing.txt: No such file or directory. Give a file of vectors in text, or one",
        ),
        (["--vectors", TEST], "does not begin with a word and its numbers"),
        (["--encoder", "./missing"], "--encoder ./missing: is no folder, and no name of the Hugging Face hub"),
        (["--encoder", "fixtures"], "--encoder fixtures: the folder has no config.json"),
        (["--language", "klingon"], "--language klingon: spaCy has no such language"),
        (["--data", TRAIN, TRAIN], "a file is given twice"),
    ],
)
def test_bad_arguments(roseq, tmp_path, arguments, message):
    result = roseq("init", tmp_path / "new", *arguments)
    assert result.status == 1 and message in result.errors and not (tmp_path / "new").exists()


def test_a_directory_with_content_is_left_alone(roseq, tmp_path):
    (tmp_path / "notes").write_text("mine")
    assert "the directory is not empty. Name a new one" in roseq("init", tmp_path).errors
    assert "is a file. Name a new directory" in roseq("init", tmp_path / "notes").errors
    assert os.listdir(tmp_path) == ["notes"]
    (tmp_path / "empty").mkdir()
    assert roseq("init", tmp_path / "empty").status == 0


def test_it_imports_neither_torch_nor_allennlp_nor_spacy(tmp_path):
    script = tmp_path / "roseq"
    script.write_text(
        "import sys\nfrom roseq_allennlp.__main__ import main\nmain()\n"
        "print({'torch', 'allennlp', 'spacy', 'numpy'} & sys.modules.keys(), file=sys.stderr)"
    )
    command = [sys.executable, script, "init", tmp_path / "new", "--data", TRAIN, DEV]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert (result.returncode, result.stderr) == (0, "set()\n"), result.stderr


@pytest.mark.corpora
@pytest.mark.parametrize(
    "files, language, shapes, numbers",
    [
        ("conll2002/ned.{train,testa,testb}", "nl", False, [15806, 2895, 5195]),
        ("conll2002/esp.{train,testa,testb}", "es", False, [8323, 1915, 1517]),
        ("wnut16/{train,dev,test}", "en", True, [2394, 1000, 3850]),
        ("wnut17/{wnut17train.conll,emerging.dev.conll,emerging.test.annotated}", "en", True, [3394, 1009, 1287]),
    ],
)
def test_the_real_corpora(roseq, tmp_path, real_data, files, language, shapes, numbers):
    before, names, after = re.fullmatch(r"(.*)\{(.*)\}(.*)", files).groups()
    paths = [real_data / f"{before}{name}{after}" for name in names.split(",")]
    result = roseq("init", tmp_path / "new", "--data", *paths)
    for path, number in zip(paths, numbers, strict=True):
        assert f"{path} (columns, IOB2): {number} sentences" in result.output
    config = config_of(tmp_path / "new")
    assert (config["dataset_reader"]["language"], "orthographic" in config["dataset_reader"]["token_indexers"]) == (
        language,
        shapes,
    )
    config["dataset_reader"]["max_instances"] = 30
    check_trained(config, tmp_path / "run")
