"""Each command makes the directory of what it writes, or says in one line why it cannot, before it works."""

import shutil

import pytest

ARCHIVE = "fixtures/archive/model.tar.gz"
DATA = "fixtures/wnut17/emerging.test.annotated"
COMMANDS = {
    "predict": (["predict", ARCHIVE, "fixtures/sentences.txt", "-o"], "a.jsonl"),
    "predict brat": (["predict", ARCHIVE, "fixtures/sentences.txt", "--output-format", "brat", "-o"], "brat"),
    "evaluate": (["evaluate", ARCHIVE, DATA, "--output-file"], "a.json"),
    "evaluate predictions": (["evaluate", ARCHIVE, DATA, "--predictions-output-file"], "a.jsonl"),
    "convert": (["convert", DATA, "--to", "doccano"], "a.jsonl"),
    "archive": (["archive", ARCHIVE], "a.tar.gz"),
    "noise": (["noise", ARCHIVE, DATA, "--levels", "0", "-o"], "a.svg"),
    "label-weights": (["label-weights", "training_configs/fixture.jsonnet", "-o"], "a.svg"),
    "report": (["report", ARCHIVE, DATA, "-o"], "a.html"),
    "build-vocab": (["build-vocab", "training_configs/fixture.jsonnet"], "a.tar.gz"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_directory_is_made(name, roseq, tmp_path):
    arguments, file = COMMANDS[name]
    output = tmp_path / "new" / "deep" / file
    result = roseq(*arguments, output)
    assert result.status == 0, result.errors
    assert output.exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_one_that_cannot_be_made(name, roseq, tmp_path):
    (tmp_path / "file").write_text("mine")
    arguments, file = COMMANDS[name]
    result = roseq(*arguments, tmp_path / "file" / file)
    (line,) = [line for line in result.errors.splitlines() if "error: " in line]
    assert result.status == 1 and line.startswith(f"roseq {arguments[0]}: error: ") and "cannot be made" in line
    assert "Traceback" not in result.errors and (tmp_path / "file").read_text() == "mine"


def test_several_files(roseq, tmp_path):
    outputs = f"{tmp_path}/a/1.json,{tmp_path}/b/2.json"
    assert roseq("evaluate", ARCHIVE, f"{DATA},{DATA}", "--output-file", outputs).status == 0
    assert (tmp_path / "a" / "1.json").exists() and (tmp_path / "b" / "2.json").exists()
    shutil.rmtree(tmp_path / "a")
    result = roseq("evaluate", ARCHIVE, DATA, "--output-file", outputs)
    assert result.status == 1 and "--output-file names 2 files for 1 of DATA." in result.errors


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--batch-size", 0], "--batch-size must be at least 1, got 0."),
        (["--batch-size", -1], "--batch-size must be at least 1, got -1."),
        (["--cuda-device", 0], "--cuda-device is 0, but the GPUs that PyTorch finds here are: none."),
        (["--embedding-sources-mapping", "x"], "--embedding-sources-mapping x: no JSON object"),
        (["--embedding-sources-mapping", "[]"], "--embedding-sources-mapping []: no JSON object"),
    ],
)
def test_what_evaluate_cannot_do(arguments, message, roseq, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    result = roseq("evaluate", ARCHIVE, DATA, *arguments)
    assert result.status == 1 and result.errors.startswith(f"roseq evaluate: error: {message}")
    assert result.errors.count("\n") == 1


CHANGES = [
    ("x=1", "-o x=1: is no JSON"),
    ("[1]", "-o [1]: must be an object with keys, and is a list."),
    ('{"modl.gamma": 1}', "-o: `modl.gamma`: the config has no `modl`; did you mean `model`?"),
    ('{"model.gama": 1}', "-o: `model.gama`: LabelAwareCrfTagger has no such key; did you mean `gamma`?"),
    ('{"num_epoch": 1}', "-o: `num_epoch`: a training config has no such key; did you mean `trainer.num_epochs`?"),
    ('{"model.encoder.type": "lstmm"}', "-o: `model.encoder.type`: no Seq2SeqEncoder is registered as 'lstmm'."),
    ('{"model.gamma": -1}', "do not fit with the changes of -o (gamma must be a finite number"),
]


@pytest.mark.parametrize("overrides, message", CHANGES)
@pytest.mark.parametrize("command", [["evaluate", ARCHIVE, DATA, "-o"], ["predict", ARCHIVE, DATA, "--overrides"]])
def test_overrides_are_blamed_and_not_the_archive(command, overrides, message, roseq):
    result = roseq(*command, overrides)
    assert result.status == 1 and result.errors.startswith(f"roseq {command[0]}: error: ") and message in result.errors
    assert result.errors.count("\n") == 1 and "damaged" not in result.errors
