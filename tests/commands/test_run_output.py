"""What `roseq train` and `roseq evaluate` show."""

import json
import logging
import os
import re
import sys
from pathlib import Path

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params, Tqdm
from allennlp.common import logging as common_logging

from roseq_allennlp.console import Console
from tests.terminal import in_terminal, screen

CONFIG = "training_configs/fixture.jsonnet"
DEV = "fixtures/wnut17/emerging.dev.conll"
TEST = "fixtures/wnut17/emerging.test.annotated"
TYPES = ["corporation", "creative-work", "group", "location", "person", "product", "overall"]
HEADER = ["data", "sizes", "model", "components", "directory"]
EPOCH = re.compile(r"epoch (\d+)/(\d+)  loss +([\d.]+)  dev F1 +([\d.]+) +([\d.]+) s  best +([\d.]+) \(epoch (\d+)\)")
# A config without any of this package's callbacks, whose directory has what AllenNLP writes.
PLAIN = {"trainer": {"num_epochs": 2, "enable_default_callbacks": False}, "model.tau": None, "model.gamma": None}


def percent(metrics: dict, prefix: str = "") -> list[list[str]]:
    """Rows of the score table, from metrics."""
    scores = ("precision", "recall", "f1-measure")
    return [[name, *(f"{100 * metrics[f'{prefix}{score}-{name}']:.2f}" for score in scores)] for name in TYPES]


def rows(lines: list[str], title: str) -> list[list[str]]:
    """The table below a title."""
    start = lines.index(title)
    assert lines[start + 1].split() == ["type", "precision", "recall", "F1"]
    first = start + 2 + lines[start + 2].startswith("─")
    return [line.split() for line in lines[first : first + len(TYPES)]]


def metrics_of(run: Path, epoch: object = None) -> dict:
    name = "metrics.json" if epoch is None else f"metrics_epoch_{epoch}.json"
    return json.loads((run / name).read_text())


@pytest.fixture
def terminal(monkeypatch):
    """Has the commands of this process believe that they have a terminal of 80 columns."""
    from roseq_allennlp import console

    console._terminal.cache_clear()
    monkeypatch.setattr(console, "_is_terminal", lambda stream: True)
    for name, value in (("TERM", "xterm-256color"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    yield
    console._terminal.cache_clear()


def test_a_run_on_a_terminal_of_80_columns(tmp_path):
    run = tmp_path / "run"
    overrides = {"trainer.num_epochs": 3}
    command = [sys.executable, "-m", "roseq_allennlp", "train", CONFIG, "-s", run, "-o", json.dumps(overrides)]
    shown = in_terminal(command, 80)
    assert shown.status == 0, shown.lines
    lines = [line for line in shown.lines if line]
    paths = len(str(run)) > 40  # lines with the directory may be longer than a terminal is wide
    assert [line.split()[0] for line in lines[: 5 + paths] if not line.startswith(" ")][:5] == HEADER
    epochs = [EPOCH.fullmatch(line) for line in lines if line.startswith("epoch ")]
    assert len(epochs) == 3 and all(epochs)
    for number, epoch in enumerate(epochs):
        metrics = metrics_of(run, number)
        assert epoch[1] == str(number) and epoch[2] == "2" and epoch[7] == str(metrics["best_epoch"])
        assert epoch[3] == f"{metrics['training_loss']:.3f}"
        assert epoch[4] == f"{100 * metrics['validation_f1-measure-overall']:.2f}"
        assert epoch[6] == f"{100 * metrics['best_validation_f1-measure-overall']:.2f}"
    metrics = metrics_of(run)
    title = f"Development scores of epoch {metrics['best_epoch']}, the best"
    assert rows(lines, title) == percent(metrics, "best_validation_")
    # Beside these: what has no vector, of both splits, and below the table the archive and three commands.
    start = next(index for index, line in enumerate(lines) if line.startswith("No word vector"))
    assert [line.split(" ")[0] for line in lines[start : start + 6]] == [
        "No",
        "No",
        "epoch",
        "epoch",
        "epoch",
        "Development",
    ]
    end = lines.index(title) + 3 + len(TYPES)
    after = "".join(lines[end:])
    archive = run / "model.tar.gz"
    assert after.replace(" ", "") == (
        f"The archive is {archive}. What comes next: roseq evaluate {archive} TEST"
        f" roseq report {archive} {DEV} roseq predict {archive} TEXTS"
    ).replace(" ", "")
    assert max(map(len, shown.lines)) <= 80 and "━" in shown.sent and "\x1b[3" in shown.sent
    log = (run / "out.log").read_text()
    assert " - INFO - allennlp.common.params - trainer.num_epochs = 3\n" in log
    assert "WARNING - py.warnings" in log or "UserWarning" not in log


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_wider_than_the_terminal_and_no_colours(columns, terminal, roseq, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fixtures").symlink_to(Path(__file__).parents[2] / "fixtures")
    config = Path(__file__).parents[2] / CONFIG
    output, errors = roseq("train", config, "-s", "run", "-o", json.dumps({"trainer.num_epochs": 2}))[1:]
    assert not re.search(r"\x1b\[[\d;]*3\d", output + errors)
    lines = screen(errors + output, 1000)  # what is longer is not cut by the terminal, then, as a command is
    assert max(len(line) for line in lines if "roseq " not in line) <= columns
    assert sum(re.match(r"(epoch )?\d/1 +loss", line) is not None for line in lines) == 2
    assert rows(lines, "Development scores of epoch 0, the best") == percent(
        metrics_of(Path("run")), "best_validation_"
    )


def test_where_there_is_no_terminal_lines_are_plain(roseq, tmp_path):
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps({"trainer.num_epochs": 2}))
    assert [line.split()[0] for line in result.errors.splitlines()] == [*HEADER, "No", "No", "epoch", "epoch"]
    assert "\x1b" not in result.output + result.errors and "─" not in result.output
    metrics = metrics_of(tmp_path / "run")
    title = f"Development scores of epoch {metrics['best_epoch']}, the best"
    assert rows(result.output.splitlines(), title) == percent(metrics, "best_validation_")


def test_a_config_without_our_callbacks(roseq, tmp_path):
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(PLAIN))
    assert [line.split()[0] for line in result.errors.splitlines()] == [*HEADER, "epoch", "epoch"]
    assert "components  none of RoSeq's\n" in result.errors
    metrics = metrics_of(tmp_path / "run")
    title = f"Development scores of epoch {metrics['best_epoch']}, the best"
    assert result.output.count(title) == 1
    assert rows(result.output.splitlines(), title) == percent(metrics, "best_validation_")


def test_quiet_leaves_out_progress(roseq, tmp_path):
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(PLAIN), "--quiet")
    assert result.errors == "" and "overall" in result.output and "The archive is" in result.output
    assert " - INFO - " in (tmp_path / "run" / "out.log").read_text()


def test_verbose_shows_the_log(roseq, tmp_path):
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(PLAIN), "-v")
    # Not the lines of `allennlp.common.params`: its `evaluate` turns that logger off for the rest of the process.
    assert "info allennlp.training.gradient_descent_trainer: Beginning training.\n" in result.errors


def test_a_dry_run_has_a_header(roseq, tmp_path):
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "--dry-run")
    assert [line.split()[0] for line in result.errors.splitlines()] == HEADER
    assert (
        result.output == f"Nothing was trained (--dry-run); the vocabulary is in {tmp_path / 'run' / 'vocabulary'}.\n"
    )


def test_without_development_data(roseq, tmp_path):
    overrides = {**PLAIN, "validation_data_path": None}
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(overrides))
    assert re.fullmatch(r"epoch 1/1  loss +[\d.]+ +[\d.]+ s", result.errors.splitlines()[-1])
    assert "scores" not in result.output


def test_another_metric(roseq, tmp_path):
    """A tagger of AllenNLP's own, chosen by its accuracy; the commands of this package do not open its archive."""
    tagger = {
        "type": "simple_tagger",
        "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 8}}},
        "encoder": {"type": "lstm", "input_size": 8, "hidden_size": 8},
    }
    config = Params.from_file(CONFIG).as_dict(quiet=True)
    reader = {"type": "wnut", "language": "en", "token_indexers": {"tokens": {"type": "single_id"}}}
    trainer = {"num_epochs": 2, "validation_metric": "+accuracy", "optimizer": "adam"}
    config |= {"model": tagger, "dataset_reader": reader, "trainer": trainer, "vocabulary": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    result = roseq("train", tmp_path / "config.json", "-s", tmp_path / "run")
    assert result.status == 0, result.errors
    metrics = metrics_of(tmp_path / "run")
    score = f"dev accuracy {metrics['validation_accuracy']:.4f} "
    assert score in result.errors.splitlines()[-1]
    assert ["accuracy", f"{metrics['best_validation_accuracy']:.4f}"] in [
        line.split() for line in result.output.splitlines()
    ]
    assert "roseq evaluate" not in result.output


def test_an_ensemble_and_the_scores_of_the_test_split(roseq, tmp_path):
    config = Params.from_file(CONFIG).as_dict(quiet=True)
    config["model"] = {"type": "tagger_ensemble", "size": 2, "member": config["model"]}
    config["trainer"]["num_epochs"] = 1
    config |= {"test_data_path": TEST, "evaluate_on_test": True}
    (tmp_path / "config.json").write_text(json.dumps(config))
    result = roseq("train", tmp_path / "config.json", "-s", tmp_path / "run")
    assert "model       tagger_ensemble of 2, 605k weights + 57k fixed, 25 labels, CPU\n" in result.errors
    assert "components  label weights τ=0.25, focal loss γ=2, adversarial ε=5\n" in result.errors
    lines = result.output.splitlines()
    assert rows(lines, "Test scores of the best epoch") == percent(metrics_of(tmp_path / "run"), "test_")
    assert f"  roseq evaluate {tmp_path / 'run' / 'model.tar.gz'} {TEST}" in lines


def test_the_run_is_that_of_allennlp(roseq, tmp_path):
    """Weights, checkpoints, metrics and config are the same, bit for bit, and either goes on with the other's."""
    runs = tmp_path / "roseq", tmp_path / "allennlp"
    overrides = json.dumps({"trainer.num_epochs": 2})
    assert roseq("train", CONFIG, "-s", runs[0], "-o", overrides).status == 0
    train_model(Params.from_file(CONFIG, overrides), runs[1], file_friendly_logging=True)
    assert (runs[0] / "config.json").read_bytes() == (runs[1] / "config.json").read_bytes()
    ours, theirs = (
        {key: value for key, value in metrics_of(run).items() if not re.search("duration|memory", key)} for run in runs
    )
    assert ours == theirs
    for name in ("best.th", "model_state_e2_b0.th", "training_state_e2_b0.th"):
        ours, theirs = (torch.load(run / name, weights_only=False) for run in runs)
        assert ours.keys() == theirs.keys()
        if "model" in name or "best" in name:
            assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        else:
            assert [repr(state) for state in ours["callbacks"]] == [repr(state) for state in theirs["callbacks"]]

    overrides = json.dumps({"trainer.num_epochs": 3})
    for run in runs:
        text = (run / "config.json").read_text().replace('"num_epochs": 2', '"num_epochs": 3')
        (run / "config.json").write_text(text)
    train_model(Params.from_file(CONFIG, overrides), runs[0], recover=True, file_friendly_logging=True)
    result = roseq("train", CONFIG, "-s", runs[1], "-o", overrides, "--recover")
    assert "Going on from the checkpoint: 2 epochs are done.\nepoch 2/2 " in result.errors
    ours, theirs = (torch.load(run / "model_state_e3_b0.th") for run in runs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_run_that_stops_early_says_so(roseq, tmp_path):
    overrides = {
        **PLAIN,
        "trainer": {
            "num_epochs": 9,
            "patience": 1,
            "validation_metric": "+accuracy",
            "optimizer": {"type": "adam", "lr": 0.0},
        },
    }
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(overrides))
    *_, last, remark = result.errors.splitlines()
    assert last.startswith("epoch 1/8 ") and remark == "Stopped early: no better since epoch 0 (trainer.patience)."


def test_warnings_of_libraries_are_in_the_log_alone(roseq, tmp_path, monkeypatch):
    """AllenNLP warns of the missing patience; this package of the undeclared type."""
    data = Path("fixtures/wnut17/wnut17train.conll").read_text(encoding="utf-8")
    (tmp_path / "train").write_text(f"Rex\tB-animal\n\n{data}", encoding="utf-8")
    callbacks = [{"type": "declared_types", "types": TYPES[:-1]}]
    trainer = {"num_epochs": 1, "callbacks": callbacks, "optimizer": "adam"}
    overrides = {**PLAIN, "trainer": trainer, "train_data_path": str(tmp_path / "train")}
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(overrides))
    log = (tmp_path / "run" / "out.log").read_text()
    assert "early stopping is disabled" in log and "early stopping" not in result.errors
    (warning,) = [line for line in result.errors.splitlines() if line.startswith("roseq train: warning")]
    assert warning.startswith("roseq train: warning: The training data has types that are not declared: 'animal'")
    assert "types that are not declared: 'animal'" in log


def test_what_ends_a_run_is_in_its_log(roseq, tmp_path):
    """With the stack trace, of which the user sees the message alone."""
    overrides = {"trainer.optimizer.lr": 1e30}  # a run that never began leaves no log
    result = roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(overrides))
    assert result.status == 1 and result.errors.splitlines()[-1].startswith("roseq train: error: ")
    assert "Traceback" not in result.errors
    assert "Traceback" in (tmp_path / "run" / "out.log").read_text()


def test_afterwards_all_is_as_before(roseq, tmp_path):
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, Tqdm.tqdm, common_logging.prepare_global_logging)
    assert roseq("train", CONFIG, "-s", tmp_path / "run", "-o", json.dumps(PLAIN)).status == 0
    after = (root.handlers[:], root.level, sys.excepthook, Tqdm.tqdm, common_logging.prepare_global_logging)
    assert after == before


@pytest.mark.parametrize("on_terminal", [False, True])
def test_evaluate_ends_with_the_table(on_terminal, request, roseq, tmp_path, archive_path):
    if on_terminal:
        request.getfixturevalue("terminal")
    result = roseq("evaluate", archive_path, TEST, "--output-file", tmp_path / "scores.json")
    lines = re.sub(r"\x1b\[[\d;]*m", "", result.output).splitlines()
    assert rows(lines, f"Scores on {TEST}") == percent(json.loads((tmp_path / "scores.json").read_text()))
    assert lines[-1].startswith("overall") and (on_terminal or result.errors == "")


def test_evaluate_several_files(roseq, tmp_path, archive_path):
    outputs = tmp_path / "a.json", tmp_path / "b.json"
    result = roseq("evaluate", archive_path, f"{DEV},{TEST}", "--output-file", ",".join(map(str, outputs)))
    for file, output in zip((DEV, TEST), outputs, strict=True):
        assert rows(result.output.splitlines(), f"Scores on {file}") == percent(json.loads(output.read_text()))


def test_find_lr_says_where_its_plot_is(roseq, tmp_path):
    overrides = json.dumps({"model.tau": None})
    result = roseq("find-lr", CONFIG, "-s", tmp_path / "run", "-o", overrides, "--num-batches", 12)
    assert result.output == f"The plot is {tmp_path / 'run' / 'lr-losses.png'}\n" and result.errors == ""
    assert (tmp_path / "run" / "lr-losses.png").exists()


def test_one_bar_at_a_time(terminal, capfd, monkeypatch):
    """What AllenNLP reads inside of a loop that has a bar has none; a line is written above the bar."""
    monkeypatch.setattr("roseq_allennlp.console._REFRESHED_EVERY", 0)
    console = Console()
    for _ in console.progress([1, 2], "outer"):
        assert list(console.progress([1, 2], "inner")) == [1, 2]
        console.say("a line")
    errors = capfd.readouterr().err
    assert "outer" in errors and "inner" not in errors and errors.count("a line\n") == 2
    assert os.environ["COLUMNS"] == "80"
