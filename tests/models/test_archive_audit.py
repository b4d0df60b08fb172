"""What Python's audit hook sees while an archive is opened and used, in processes of their own."""

import json
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch

RECORD = """
import collections, json, os, sys, sysconfig, tempfile
archive, data, packages, events = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), collections.defaultdict(collections.Counter)
import roseq_allennlp
from roseq_allennlp import plugins
from roseq_allennlp.__main__ import main
plugins.import_plugins()
import matplotlib.font_manager  # which asks the system for its fonts, once on a machine
roots = {"python": [sys.base_prefix, sysconfig.get_path("purelib")], "package": packages, "temporary": [tempfile.gettempdir() + "/tmp"]}
known, others, step = set(sys.modules), [], None
NEVER = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.", "urllib.", "http.", "ftplib.",
         "webbrowser.", "ctypes.dlopen", "os.kill", "os.putenv", "os.chmod", "os.symlink", "os.link", "signal.")
def kind_of(path):
    path = os.fsdecode(path) if isinstance(path, (str, bytes)) else str(path)
    if path in (archive, data):
        return "archive" if path == archive else "data"
    for kind, places in roots.items():
        if any(path.startswith(place) for place in places):
            return kind
    if path in ("encoder", "vocabulary"):  # by the removal of the temporary directory, which gives names relative to it
        return "temporary"
    # The report is written under a temporary name.
    return "output" if path.removeprefix(os.getcwd() + "/").removeprefix(".").startswith("report.html") else path
def hook(event, arguments):
    if step is None:
        return
    if event == "open":
        events[step]["open: " + kind_of(arguments[0])] += 1
    elif event.startswith(("os.", "shutil.", "tempfile.", "fcntl.", "import")) or event.startswith(NEVER):
        events[step][event] += 1
    if event.startswith(NEVER):
        others.append([event, str(arguments)[:200]])
sys.addaudithook(hook)
def run(*arguments):
    sys.argv = ["roseq", *arguments]
    main()
step = "load"
tagger = roseq_allennlp.load(archive)
step = "tag"
answer = tagger.tag("Marta Keller flies to Oslo")
list(tagger.tag_many(["a b"] * 3))
step = "evaluate"
run("evaluate", archive, data)
step = "report"
run("report", archive, data, "-o", "report.html")
step = None
new = [(name, getattr(getattr(module, "__spec__", None), "origin", None)) for name, module in sys.modules.items() if name not in known]
strange = [name for name, origin in new if origin not in (None, "built-in", "frozen") and kind_of(origin) not in ("python", "package")]
print("RECORD", json.dumps({"events": events, "never": others, "strange": strange, "modules": len(new), "words": answer["words"]}))
"""


def traps(directory: Path) -> Path:
    """A directory with modules that leave a mark when they are imported; returns the mark."""
    mark = directory / "executed"
    (directory / "google").mkdir()
    names = (
        "torch",
        "allennlp",
        "checklist",
        "wandb",
        "sentencepiece",
        "evil_plugin",
        "google/colab",
        "google/__init__",
    )
    for name in names:
        (directory / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
    (directory / ".allennlp_plugins").write_text("evil_plugin\n")
    return mark


def start(directory: Path, repository: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    variables = {
        **os.environ,
        "PYTHONPATH": str(repository),
        "OMP_NUM_THREADS": "1",
        "MPLCONFIGDIR": str(directory),
        **environment,
    }
    return subprocess.run(
        [sys.executable, *command], cwd=directory, env=variables, capture_output=True, text=True, timeout=300
    )  # fmt: skip


@pytest.mark.parametrize("with_encoder", [False, True])
def test_the_record_of_loading_tagging_evaluating_and_reporting(
    with_encoder, archive_path, encoder_run, repository, tmp_path
):
    if with_encoder:
        archive_path = encoder_run(True) / "model.tar.gz"
    mark = traps(tmp_path)
    data = str(repository / "fixtures" / "wnut17" / "emerging.test.annotated")
    script = tmp_path / "scripts" / "record.py"  # whose directory is first on the path, not the working directory
    script.parent.mkdir()
    script.write_text(RECORD)
    result = start(
        tmp_path,
        repository,
        str(script),
        str(archive_path),
        data,
        json.dumps(
            [str(repository / name) for name in ("roseq_allennlp", "roseq_spacy.py", "__pycache__/roseq_spacy.")]
        ),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    line = next(line for line in result.stdout.splitlines() if line.startswith("RECORD "))
    record = json.loads(line.removeprefix("RECORD "))
    print(json.dumps(record["events"], indent=1), record["modules"])
    never = [event for event in record["never"] if "ROSEQ_SHOWN_LOGS" not in event[1]]  # set by the commands
    assert never == [] and record["strange"] == [] and not mark.exists()
    assert record["words"] == ["Marta", "Keller", "flies", "to", "Oslo"]
    assert set(record["events"]) >= {"load", "evaluate", "report"}
    for step, counts in record["events"].items():
        opened = {event.removeprefix("open: ") for event in counts if event.startswith("open: ")}
        expected = {"archive", "temporary", "python", "package"}
        if step in ("evaluate", "report"):  # by the command: the names in the second are shown
            expected |= {"data", ".allennlp_plugins"}
        if step == "report":
            expected |= {"output"}
        assert opened <= expected, step
    assert record["events"]["load"]["open: archive"] == 1


@pytest.mark.parametrize("package", [False, True])
def test_the_working_directory_is_no_place_for_plugins(package, archive_path, repository, tmp_path):
    mark = traps(tmp_path)
    home = tmp_path / "home" / ".allennlp"
    home.mkdir(parents=True)
    (home / "plugins").write_text("json.tool\n")  # any module that is not imported otherwise
    options = []
    if package:  # but what the user names may be there, and its neighbours too
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "__init__.py").write_text("")
        (tmp_path / "mine" / "part.py").write_text(f"import neighbour; open({str(tmp_path / 'mine.txt')!r}, 'w')\n")
        (tmp_path / "neighbour.py").write_text("")
        options = ["--include-package", "mine"]
    (tmp_path / "lines.jsonl").write_text('{"sentence": "a b"}\n')
    command = ["-m", "roseq_allennlp", "predict", str(archive_path), "lines.jsonl", "--silent", "--output-file", "out"]
    result = start(tmp_path, repository, "-v", *command, *options, HOME=str(home.parent))
    assert result.returncode == 0, result.stderr[-3000:]
    assert not mark.exists(), mark.read_text()
    assert "import 'json.tool'" in result.stderr
    assert "roseq does not read .allennlp_plugins of the working directory" in result.stderr
    assert "--include-package evil_plugin" in result.stderr
    assert json.loads((tmp_path / "out").read_text())["words"] == ["a", "b"]
    assert (tmp_path / "mine.txt").exists() == package


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_weights_run_nothing_under_any_setting(archive_path, tmp_path, monkeypatch, refused):
    """Also in the directory of a run, whose `best.th` is loaded."""
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path / "run", filter="data")
    (tmp_path / "run" / "weights.th").unlink()
    torch.save({"x": Evil(tmp_path / "executed")}, tmp_path / "run" / "best.th")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    assert "cannot be read as tensors" in refused(tmp_path / "run")
    assert not (tmp_path / "executed").exists()


def test_nor_do_those_of_a_run_that_is_recovered(tmp_path, roseq, monkeypatch):
    config, run, mark = "training_configs/fixture.jsonnet", tmp_path / "run", tmp_path / "executed"
    assert roseq("train", config, "-s", run, "-o", '{"trainer.num_epochs": 1}').status == 0
    for number, file in enumerate([run / "best.th", *run.glob("*_state_e*.th")]):
        torch.save({"x": Evil(mark)}, file)
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        try:
            roseq("train", run / "config.json", "-s", run, "--recover")
        except pickle.UnpicklingError:  # what torch says of it
            pass
        assert not mark.exists(), (number, file)
