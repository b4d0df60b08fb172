"""What a terminal would obey, and secrets, in labels, words, names of files and the environment: through every command."""

import json
import logging
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from roseq_allennlp import text
from roseq_allennlp.console import Console

EVIL = "\x1b[31m\x9b1m\u202e\u2066\x08\x7f"
SEEN = r"\x1b[31m\x9b1m\u202e\u2066\x08\x7f"
LABEL = f"m{EVIL}n"  # what cannot be seen at the ends of a tag is no part of it
FILE = f"e{EVIL}\n\rvil"
SECRET = "hf_abcdefghijklmnop"
CONFIG = "training_configs/fixture.jsonnet"
DEV = "fixtures/wnut17/emerging.dev.conll"
OBEYED = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def is_safe(output: str, lines: bool = True) -> bool:
    """By Unicode's own tables, where the package has a pattern."""
    return not any(
        unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
        and not (lines and character in "\n\t")
        or unicodedata.bidirectional(character) in OBEYED
        or character in "\u061c\u200e\u200f"
        for character in output
    )


def test_every_character():
    unsafe: list[str] = []
    others: list[str] = []
    for character in map(chr, range(0x110000)):
        (others if is_safe(character, lines=False) else unsafe).append(character)
    assert text.shown("".join(others)) == "".join(others)
    for character in unsafe:
        assert is_safe(text.shown(character), lines=False) and is_safe(text.shown_lines(character))
        assert json.loads(text.shown_in_json(json.dumps(character, ensure_ascii=False))) == character
    assert text.shown(EVIL) == SEEN and text.shown("a\nb") == r"a\nb" and text.shown_lines("a\n\tb\r") == "a\n\tb\\r"
    assert text.shown("émoji 👩‍🔬 سلام") == "émoji 👩‍🔬 سلام"


@pytest.mark.parametrize(
    "name, is_secret",
    [
        *[(name, True) for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ANYTHING")],
        *[(name, True) for name in ("GITHUB_TOKEN", "DB_PASSWORD", "OPENAI_API_KEY", "CLIENT_SECRET", "wandb_api_key")],
        *[(name, False) for name in ("ROSEQ_DATA", "TOKENIZERS_PARALLELISM", "KEYBOARD", "PATH_TOKENS")],
    ],
)
def test_secrets_by_name(name, is_secret, monkeypatch):
    monkeypatch.setenv(name, SECRET)
    assert text.shown(f"a{SECRET}b") == (f"a${name}b" if is_secret else f"a{SECRET}b")


def test_secrets_in_addresses():
    assert (
        text.shown("no https://jan:geheim@host:80/a@b and ftp://token@h")
        == "no https://***@host:80/a@b and ftp://***@h"
    )
    assert text.shown("https://h/a?x=1&X-Amz-Signature=abc&b=2#c") == "https://h/a?x=1&X-Amz-Signature=***&b=2#c"


def test_short_values_are_no_secrets(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "1")
    assert text.shown("11") == "11"


def test_the_console(capsys):
    show_everything(Console(plain=True))
    output, errors = capsys.readouterr()
    assert is_safe(output) and output.count(SEEN) == 5
    assert is_safe(errors) and errors.count(SEEN) == 4


def show_everything(console: Console) -> None:
    console.say(EVIL)
    console.report_fields([(EVIL, EVIL)])
    console.print(EVIL)
    console.print(EVIL, is_command=True)
    console.table([EVIL], [[EVIL], [1.5]], EVIL)
    assert list(console.progress([1], EVIL)) == [1]


def test_the_console_on_a_terminal(capsys, monkeypatch):
    """But for colours, and what moves the bar, which are the console's own."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("roseq_allennlp.console._is_terminal", lambda stream: True)
    show_everything(Console())
    with Console().bar(1, EVIL) as bar:
        bar.set_description(EVIL)
        bar.update()
    parts = [re.sub(r"\x1b\[[\d;]*m|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K|\r", "", part) for part in capsys.readouterr()]
    assert all(map(is_safe, parts)) and all(part.count(SEEN) >= 4 for part in parts), parts


@pytest.fixture
def evil(tmp_path, monkeypatch, archive_path):
    """A directory in whose name, and in whose files' names, labels and words, everything stands; HF_TOKEN is set."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    directory = tmp_path / f"{FILE}{SECRET}"
    directory.mkdir()
    (directory / "data").write_text(f"w{EVIL}\tB-{LABEL}\nin\tO\nOslo\tB-location\n", encoding="utf-8")
    (directory / "scored").write_text(f"w{EVIL} B-{LABEL} B-x{LABEL}\n", encoding="utf-8")
    (directory / "lines").write_text(json.dumps({"sentence": f"w{EVIL} in Oslo"}) + "\n{" + EVIL + "\n")
    shutil.copy(archive_path, directory / "model.tar.gz")
    overrides = {"train_data_path": str(directory / "data"), "validation_data_path": DEV, "trainer.num_epochs": 1}
    return directory, json.dumps(overrides)


COMMANDS = {
    "score": ["score", "{}/scored"],
    "score --surface": ["score", "{}/scored", "--surface"],
    "score --json": ["score", "{}/scored", "--json"],
    "score, no file": ["score", "{}/none"],
    "score, wrong columns": ["score", "{}/data"],
    "corpora": ["corpora", "list", "{}"],
    "corpora verify": ["corpora", "verify", "wnut17"],
    "corpora stats": ["corpora", "stats", "wnut17"],
    "corpora fetch": ["corpora", "fetch", "wnut17"],
    "label-weights": ["label-weights", CONFIG, "--overrides", "OVERRIDES", "-o", "{}/plot.svg"],
    "label-weights, no file": ["label-weights", "{}/none"],
    "compare": ["compare", "{}/model.tar.gz", "fixtures/archive/model.tar.gz", "{}/data"],
    "report": ["report", "{}/model.tar.gz", "{}/data", "-o", "{}/page.html"],
    "report, no file": ["report", "{}/model.tar.gz", "{}/none", "-o", "{}/page.html"],
    "select": ["select", "{}/model.tar.gz", "{}/lines", "--input-format", "jsonl", "-o", "{}/tasks.jsonl"],
    "select, no file": ["select", "{}/model.tar.gz", "{}/none", "-o", "{}/tasks.jsonl"],
    "noise": ["noise", "{}/model.tar.gz", "{}/data", "--levels", "0", "-o", "{}/plot.svg"],
    "noise, wrong levels": ["noise", "{}/model.tar.gz", "{}/data", "--levels", "{}"],
    "archive": ["archive", "{}/model.tar.gz", "{}/out.tar.gz"],
    "archive, no file": ["archive", "{}/none", "{}/out.tar.gz"],
    "ablation": ["ablation", "{}"],
    "ablation, wrong seeds": ["ablation", "wnut17", "--seeds", "{}", "-s", "{}/ablation"],
    "ablation, no config": ["ablation", "wnut17", "--config", "{}/none", "-s", "{}/ablation"],
    "results": ["results", "{}/none"],
    "results, no JSON": ["results", "{}/data"],
    "predict-ray": ["predict-ray", "{}/none", "{}/out", "--archive", "{}/model.tar.gz"],
    "predict": ["predict", "{}/model.tar.gz", "{}/lines", "--predictor", "ner_tagger"],
    "predict, no file": ["predict", "{}/none", "{}/lines", "--predictor", "ner_tagger"],
    "evaluate": ["evaluate", "{}/model.tar.gz", "{}/data"],
    "evaluate, no file": ["evaluate", "{}/model.tar.gz", "{}/none"],
    "train": ["train", CONFIG, "-s", "{}/run", "-o", "OVERRIDES"],
    "train, no file": ["train", "{}/none", "-s", "{}/run"],
    "train, wrong JSON": ["train", CONFIG, "-s", "{}/run", "-o", "{}"],
    "find-lr": ["find-lr", CONFIG, "-s", "{}/run", "-o", "OVERRIDES", "--num-batches", "101"],
    "an argument too many": ["score", "{}/scored", "{}"],
    "no command": ["{}"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_sent_to_a_terminal(name, evil, roseq, monkeypatch):
    directory, overrides = evil
    if name.startswith("corpora ") and name != "corpora":
        monkeypatch.setenv("ROSEQ_DATA", str(directory))
        shutil.copytree("fixtures/wnut17", directory / "wnut17")
        (directory / "wnut17" / "wnut17train.conll").write_bytes((directory / "data").read_bytes())
    arguments = [part.replace("{}", str(directory)).replace("OVERRIDES", overrides) for part in COMMANDS[name]]
    result = roseq(*arguments)
    for output in (result.output, result.errors):
        assert is_safe(re.sub("\r(?=[^\n]*$)", "", output.replace("\x1b[A", ""), flags=re.MULTILINE)), ascii(output)[
            -2000:
        ]
        assert SECRET not in output
    silent = ("find-lr", "train, wrong JSON", "evaluate")  # the log has the warning of the last
    assert "1b[31m" in result.output + result.errors or name in silent, ascii(result)[-2000:]
    assert "Traceback" not in result.errors


def test_a_run_keeps_no_secret(evil, roseq):
    """Not in its logs, metrics and the archive's own data, though it is in a path; the config is kept as it is."""
    directory, overrides = evil
    run = directory.parent / "run"
    with open(directory / "data", "a") as file:
        file.write("\nOslo\tI-location\n")  # of which the log says the path
    assert roseq("train", CONFIG, "-s", run, "-o", overrides).status == 0
    assert SECRET in (run / "config.json").read_text() and "$HF_TOKEN" in (run / "out.log").read_text()
    shutil.unpack_archive(run / "model.tar.gz", run / "unpacked")
    for path in run.rglob("*"):
        if path.is_file() and path.name != "config.json":
            assert SECRET.encode() not in path.read_bytes(), path


def test_processes_started_by_a_command_write_as_it_does(monkeypatch):
    monkeypatch.setenv(text.LOGS_VARIABLE, "1")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    program = f"import roseq_allennlp, logging, warnings; logging.warning({EVIL + SECRET!r}); warnings.warn({EVIL!r})"
    errors = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    assert (
        errors.startswith(f"WARNING:root:{SEEN}$HF_TOKEN\n") and f"UserWarning: {SEEN}\n" in errors and is_safe(errors)
    )


def test_a_stack_trace_in_a_log(caplog):
    try:
        raise ValueError(EVIL)
    except ValueError:
        record = text.ShownRecord("a", logging.ERROR, "f", 1, "%s", (EVIL,), sys.exc_info())
    formatted = logging.Formatter("%(message)s").format(record)
    assert (
        is_safe(formatted) and formatted.startswith(f"{SEEN}\nTraceback") and formatted.endswith(f"ValueError: {SEEN}")
    )


def test_pages_are_safe_and_files_keep_their_data(evil, roseq):
    directory, _ = evil
    assert roseq("report", directory / "model.tar.gz", directory / "data", "-o", directory / "page.html").status == 0
    page = (directory / "page.html").read_text(encoding="utf-8")
    assert is_safe(page) and "\\u202e" in page and SECRET not in page
    output = json.loads(roseq("score", directory / "scored", "--json").output)
    assert LABEL in output["types"]


def test_no_command_prints_past_the_console():
    """But for `score`, which has bytes, the program's own version and last words, and names of plugins, which are identifiers."""
    for path in Path("roseq_allennlp").rglob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        prints = [line for line in lines if re.search(r"(?<![.\w])print\(|sys\.std(out|err)\.(buffer\.)?write", line)]
        allowed = {"console.py": 4, "score.py": 1, "__main__.py": 3, "plugins.py": 1}.get(path.name, 0)
        assert len(prints) <= allowed, (path, prints)
