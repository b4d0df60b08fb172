"""
The commands of README.md and of the pages of docs/, run as they stand there in a copy of what `git clone` gives, and what
they print. pages.py says how a page tells which are run.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _jsonnet import evaluate_file
from allennlp.commands import main as allennlp

from roseq_allennlp.__main__ import main as roseq_main
from roseq_allennlp.commands.table import command
from tests.pages import Block, blocks, command_lines, difference

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")),
]
PROGRAMS = {"roseq": (roseq_main, ()), "allennlp": (allennlp, ("allennlp",))}
OVERRIDES = {"train": "-o", "ablation": "--overrides"}
MODULES = {"roseq": "roseq_allennlp", "allennlp": "allennlp"}
# What only a shell understands.
SHELL = re.compile(r"[|<>;&*$`]")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The files that git has, or all of a source distribution."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = listing.stdout.splitlines() or [
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    folder = tmp_path_factory.mktemp("pages") / "clone"
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def shortened(line: str, overrides: str) -> str:
    """A command with these overrides, in JSON, beside its own."""
    words = shlex.split(line, comments=True) if overrides else []
    option = next((OVERRIDES[word] for word in words if word in OVERRIDES), None)
    if option is None:
        return line
    if option not in words:
        words += [option, "{}"]
    value = words.index(option) + 1
    words[value] = json.dumps({**json.loads(words[value]), **json.loads(overrides)})
    return shlex.join(words)


class Reader:
    """Runs the blocks of a page one after the other."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory, self._monkeypatch = directory, monkeypatch
        self._names: dict[str, object] = {"__name__": "page"}
        self.printed = ""

    def run(self, block: Block) -> None:
        if block.kind == "file":
            (self._directory / block.detail).write_text(block.text, encoding="utf-8")
        elif block.kind == "config":
            config = self._directory / "training_configs" / f"line_{block.line}.jsonnet"
            config.write_text(block.text, encoding="utf-8")
            evaluate_file(str(config))
        elif block.kind == "prints":
            assert (wrong := difference(block.text, self.printed, block.detail)) is None, f"line {block.line}: {wrong}"
        elif block.kind in ("run", "before"):
            printed = self._directory.parent / "printed"
            printed.unlink(missing_ok=True)
            with printed.open("a+", encoding="utf-8") as file:  # as others write to its end too
                if block.language == "python":
                    with self._shown_in(file):
                        exec(compile(block.text, f"line {block.line}", "exec"), self._names)
                else:
                    for line in command_lines(block.text):
                        status = self._command(shortened(line, block.detail), file)
                        file.flush()
                        assert status == 0, f"line {block.line}: {line}: status {status}\n{printed.read_text('utf-8')}"
            self.printed = printed.read_text(encoding="utf-8")

    def _command(self, line: str, file) -> int:
        words = [] if SHELL.search(re.sub(r"'[^']*'", "", line)) else shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            self._monkeypatch.setenv(*words.pop(0).split("=", 1))
        if not words or words[0] not in PROGRAMS:
            return self._shell(line, file)
        program, arguments = PROGRAMS[words[0]]
        self._monkeypatch.setattr(sys, "argv", words)
        with self._shown_in(file):
            try:
                program(*arguments)
            except SystemExit as error:
                if isinstance(error.code, str):
                    print(error.code)
                return error.code if isinstance(error.code, int) else int(error.code is not None)
        return 0

    def _shell(self, line: str, file) -> int:
        programs = "".join(f'{name}() {{ "{sys.executable}" -m {module} "$@"; }}\n' for name, module in MODULES.items())
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            ["bash", "-c", programs + line], cwd=self._directory, env=environment, stdout=file, stderr=file
        ).returncode

    @staticmethod
    @contextlib.contextmanager
    def _shown_in(file):
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            yield


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_and_print_what_it_says(page, clone, tiny_encoder, tmp_path, monkeypatch):
    directory = tmp_path / "clone"
    shutil.copytree(clone, directory)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("TINY_ENCODER", str(tiny_encoder))  # in the place of one of the hub
    reader = Reader(directory, monkeypatch)
    for block in blocks(text_of(page)):
        reader.run(block)


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_run_or_says_why_not(page):
    text = text_of(page)
    fences = re.findall(r"^```", text, re.MULTILINE)
    assert 2 * sum(block.kind != "before" for block in blocks(text)) == len(fences)


def test_most_commands_are_run():
    kinds = [block.kind for page in PAGES for block in blocks(text_of(page)) if block.language == "bash"]
    assert kinds.count("run") > kinds.count("not run")


@pytest.mark.parametrize("page", PAGES)
def test_commands_within_the_text_exist(page):
    text = text_of(page)
    for name, arguments in re.findall(r"`roseq ([a-z][a-z-]*)\b([^`]*)`", text):
        known = command(name).parser().format_help()
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"'[^']*'", "", arguments)):
            assert re.search(rf"(?m)(?<![\w-]){option}(?![\w-])", known), f"{page}: `roseq {name}` has no {option}"
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", text)) <= targets


def test_the_figures_of_the_readme_are_those_of_the_measurements():
    table = {}
    for row in re.findall(r"(?m)^\| (.*) \|$", text_of("README.md").split("| test F1 |")[1].split("\n\n")[0]):
        name, *cells = (cell.strip(" *") for cell in row.split("|"))
        table[name] = cells
    results = text_of("docs/results.md").split("<!-- results: gains -->")[1].split("<!-- end -->")[0]
    for name, system in (("RoSeq", "RoSeq Model"), ("its base model", "Base Model")):
        assert re.search(rf"wnut17 +\| {system} .*\| {table[name][0]} ", results)
    rows = json.loads(text_of("benchmarks/results/cpu.json"))["ratios"]
    rates = {(row["name"], row["against"]): (row["ours"], row["theirs"]) for row in rows if row["threads"] == 1}
    plain, whole = "training, plain", "training, LACRF + FL + AT"
    for name, rate in (
        ("RoSeq", rates[whole, "crf_tagger, plain"][0]),
        ("its base model", rates[plain, "crf_tagger, plain"][0]),
        ("AllenNLP's `crf_tagger`", rates[plain, "crf_tagger, plain"][1]),
        ("Flair's BiLSTM-CRF", rates[plain, "Flair, plain"][1]),
    ):
        assert table[name][1] == f"{62730 / rate:.1f} s"
    for name, rate in (
        ("RoSeq", rates["tagging", "crf_tagger"][0]),
        ("AllenNLP's `crf_tagger`", rates["tagging", "crf_tagger"][1]),
        ("Flair's BiLSTM-CRF", rates["tagging", "Flair"][1]),
        ("spaCy's small architecture", rates["tagging", "spaCy, one encoder"][1]),
    ):
        assert table[name][2] == f"{rate:,.0f}".replace(",", " ")


@pytest.mark.parametrize(
    "expected, printed, detail, equal",
    [
        ("F1  80.00\n", "F1 80.00\n\n", "", True),
        ("F1 80.00\n", "F1 80.01\n", "", False),
        ("F1 80.00\n", "F1 84.00\n", "within 5", True),
        ("F1 80.00\n", "F1 86.00\n", "within 5", False),
        ("F1 80.00\n", "F1 3.1\n", "other numbers", True),
        ("F1 80.00\n", "F2: 3.1\n", "other numbers", False),
        ("done in 0.1 s\n", "done in 12.7 s\n", "", True),
        ("a\n…\nz\n", "a\nb\nc\nz\n", "", True),
        ("a\n…\nz\n", "a\nz\n", "", True),
        ("a\n…\n", "b\nc\n", "", False),
        ("data …/train\n", "data /tmp/train\n", "", True),
        ("name  F1\n-----\n", "name F1\n──────\n", "", True),
        ('{"a": 1,\n "b": 2}\n', '{"a": 1, "b": 2}\n', "", True),
        ("a\n", "", "", False),
        ("a\n", "a\nb\n", "", False),
    ],
)
def test_what_is_printed_is_compared(expected, printed, detail, equal):
    assert (difference(expected, printed, detail) is None) == equal


@pytest.mark.parametrize("mark", ["", "<!-- a remark -->\n", "<!-- not run: -->\n", "<!-- run -->\ntext between\n"])
def test_a_block_without_a_mark_is_an_error(mark):
    with pytest.raises(ValueError, match="line "):
        blocks(f"{mark}```bash\nroseq\n```\n")
