"""What is imported to start, in processes of their own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from roseq_allennlp.commands.table import COMMANDS
from roseq_allennlp.data.corpora import CORPORA

HEAVY = {"torch", "allennlp", "transformers", "spacy", "scipy", "sklearn", "pandas", "matplotlib", "cached_path"}
CONSOLE_SCRIPT = """\
import sys
from roseq_allennlp.__main__ import main
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(main())
"""


def start(*command, **settings):
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, encoding="utf-8", **settings
    )


def imported(*arguments, text=""):
    """The top-level modules that a command imports, as Python itself lists them, and its exit status."""
    result = start("-X", "importtime", "-m", "roseq_allennlp", *arguments, input=text)
    modules = set(re.findall(r"^import time: [\d\s]+\|[\d\s]+\|\s*(\w+)", result.stderr, re.MULTILINE))
    assert "argparse" in modules
    return modules, result.returncode


@pytest.fixture(scope="module")
def results(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    (folder / "results.jsonl").write_text(run().as_line() + "\n", encoding="utf-8")
    (folder / "page.md").write_text("<!-- results: total -->\n<!-- end -->\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "arguments, status",
    [
        ([], 0),
        (["--version"], 0),
        (["--help"], 0),
        *(([name, "--help"], 0) for name in COMMANDS),
        (["trian"], 2),
        (["train", "--serialisation-dir", "x"], 2),
        (["score"], 0),
        (["score", "--json", "--surface"], 0),
        (["corpora", "list"], 0),
        (["corpora", "verify"], 1),  # those of fixtures/ are not the catalogue's
        (["corpora", "stats"], 0),
        (["corpora", "stats", "nonesuch"], 1),
    ],
)
def test_neither_torch_nor_allennlp_is_imported(arguments, status):
    modules, actual = imported(*arguments, text="a B-X B-X\n")
    assert (modules & HEAVY, actual) == (set(), status)


def test_results_are_read_without_them(results):
    modules, status = imported("results", results / "results.jsonl", "-o", results / "page.md")
    assert (modules & HEAVY, status) == (set(), 0)


def test_statistics_are_those_of_the_readers(roseq):
    """Which `corpora stats` does without."""
    from allennlp.data import DatasetReader

    from roseq_allennlp.data.column_file import LAYOUTS

    for name, layout in LAYOUTS.items():
        file = DatasetReader.by_name(name)().file
        assert {key: getattr(file, key.replace("tag_scheme", "_tag_scheme")) for key in layout} == layout
    output = roseq("corpora", "stats", "wnut17", "--quiet").output
    reader = DatasetReader.by_name(CORPORA["wnut17"].reader)()
    instances = list(reader.read("corpus://wnut17/test"))
    entities = sum(label[0] in "BU" for instance in instances for label in instance["tags"].labels)
    last = output.splitlines()[-1].split()
    assert last[-3:] == [str(len(instances)), str(sum(len(i["tokens"]) for i in instances)), str(entities)]


PROGRAMS = {
    # A program of one's own, of whatever name: the components are there at once.
    "roseq.py": "import roseq_allennlp, sys\nassert 'roseq_allennlp.models' in sys.modules\nTAG",
    "own/__init__.py": "import roseq_allennlp",
    "own/__main__.py": "TAG",
}
TAG = """
from allennlp.predictors import Predictor
print(type(Predictor.from_path("fixtures/archive/model.tar.gz")).__name__)
"""


@pytest.mark.parametrize("program", [["roseq.py"], ["-m", "own"]])
def test_an_import_registers_the_components(program, tmp_path, monkeypatch):
    for name, text in PROGRAMS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("TAG", TAG))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    result = start(*(str(tmp_path / name) if name == "roseq.py" else name for name in program))
    assert (result.stdout, result.returncode) == ("NerTagger\n", 0), result.stderr


SPAWNS = """
import multiprocessing, sys
from roseq_allennlp.__main__ import main

def child():
    import roseq_allennlp
    from allennlp.models import Model
    print(Model.by_name("label_aware_crf_tagger").__name__)

if __name__ == "__main__":
    assert "torch" not in sys.modules
    process = multiprocessing.get_context("METHOD").Process(target=child)
    process.start()
    process.join()
    sys.exit(process.exitcode)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_the_console_script_starts_has_the_components(method, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    (tmp_path / "roseq").write_text(SPAWNS.replace("METHOD", method))
    result = start(tmp_path / "roseq")
    assert (result.stdout, result.returncode) == ("LabelAwareCrfTagger\n", 0), result.stderr


def test_the_console_script_tags(archive_path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    (tmp_path / "roseq").write_text(CONSOLE_SCRIPT)
    result = start("-X", "importtime", tmp_path / "roseq", "predict", archive_path, input="Anna lives in Bonn\n")
    assert json.loads(result.stdout)["words"] == ["Anna", "lives", "in", "Bonn"], result.stderr[-2000:]
    modules = set(re.findall(r"\|\s*([\w.]+)$", result.stderr, re.MULTILINE))
    unused = {"torch._dynamo", "torchvision.models", "sklearn.utils", "scipy.stats._stats", "nltk.tree", "pandas"}
    assert "torch" in modules and not modules & unused
