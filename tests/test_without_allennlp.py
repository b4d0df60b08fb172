"""An environment with this package and without AllenNLP, which pip does not install beside it."""

import os
import subprocess
import sys

import pytest

ADVICE = "pip install --no-deps allennlp==2.10.1"
BLOCK = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def without(tmp_path, repository):
    def run(library, *arguments):
        (tmp_path / "sitecustomize.py").write_text(BLOCK.format(name=library))
        paths = os.pathsep.join([str(tmp_path), str(repository)])
        environment = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment)

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "training_configs/fixture.jsonnet", "-s", "runs/none"],
        ["predict", "fixtures/archive/model.tar.gz", "fixtures/sentences.txt"],
        ["find-lr", "training_configs/fixture.jsonnet", "-s", "runs/none"],
    ],
)
def test_a_command_says_how_to_install_it(arguments, without):
    result = without("allennlp", "-m", "roseq_allennlp", *arguments)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
    assert (
        result.stderr.startswith(f"roseq {arguments[0]}: error: AllenNLP is not installed. ")
        and ADVICE in result.stderr
    )


def test_importing_says_it_too(without):
    result = without("allennlp", "-c", "import roseq_allennlp")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: AllenNLP is not installed. ") and last.endswith(ADVICE)


def test_a_library_that_allennlp_needs(without):
    result = without("torch", "-m", "roseq_allennlp", "predict", "fixtures/archive/model.tar.gz")
    assert result.returncode == 1 and result.stderr == (
        "roseq predict: error: AllenNLP needs torch, which is not installed. Install it with all that is needed: pip install"
        " roseq-allennlp\n"
    )


def test_what_needs_no_allennlp_works(without):
    assert without("allennlp", "-m", "roseq_allennlp", "score", os.devnull).returncode == 0
