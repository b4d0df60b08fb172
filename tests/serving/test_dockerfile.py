"""The Dockerfile, which cannot be built here: its commands, and hadolint's rules as far as they concern it."""

import json
import re
import shlex

import pytest

from roseq_allennlp._serving.limits import OPEN
from roseq_allennlp.commands.table import command


@pytest.fixture
def instructions(repository):
    """Name and text of each, continued lines joined."""
    text = (repository / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", "".join(line for line in text.splitlines(True) if not line.startswith("#")))
    return [tuple(line.split(" ", 1)) for line in lines.splitlines() if line]


def of(instructions, name):
    return [text for kind, text in instructions if kind == name]


def test_its_commands_are_those_of_the_readme(instructions, repository):
    (run,) = of(instructions, "RUN")
    *installing, adding_a_user = run.split(" && ")
    assert adding_a_user.startswith("useradd ")
    readme = (repository / "README.md").read_text(encoding="utf-8").split("## 6. Serve it")[1].split("```")[1]
    commands = [line.partition("  #")[0].strip() for line in readme.splitlines()[1:]]
    assert [line.replace(" --no-cache-dir", "") for line in installing] == commands[:-1]
    (entry,), (argument,) = of(instructions, "ENTRYPOINT"), of(instructions, "CMD")
    assert json.loads(entry)[:2] == shlex.split(commands[-1])[:2] == ["roseq", "serve"]
    for arguments in ([*json.loads(entry)[2:], *json.loads(argument)], shlex.split(commands[-1])[2:]):
        assert command("serve").parser().parse_args(arguments).port == 8000
    assert of(instructions, "EXPOSE") == ["8000"]


def test_versions_are_fixed_and_are_the_locked_ones(instructions, repository):
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", of(instructions, "FROM")[0])
    locked = (repository / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (run,) = of(instructions, "RUN")
    for line in run.split(" && ")[:-1]:
        assert line.startswith("pip install --no-cache-dir ")
        packages = re.findall(r"[\w-]+==[\w.]+", line)
        assert all(package in locked for package in packages) and (packages or " -c requirements.txt " in line)


def test_it_does_not_run_as_root_and_says_whether_it_is_well(instructions):
    kinds = [kind for kind, _ in instructions]
    (user,) = of(instructions, "USER")
    assert user not in ("root", "0") and kinds.index("USER") > kinds.index("RUN") and "ADD" not in kinds
    assert f" {user}" in of(instructions, "RUN")[0] and all(
        path.startswith("/") for path in of(instructions, "WORKDIR")
    )
    (health,) = of(instructions, "HEALTHCHECK")
    python, minus_c, code = json.loads(health.split(" CMD ")[1])
    compile(code, "health", "exec")
    assert (python, minus_c) == ("python", "-c")
    assert re.search(r"http://127\.0\.0\.1:8000(/\w+)", code)[1] in OPEN


def test_what_is_installed_is_in_its_context(repository):
    lines = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines and all((repository / name).exists() for name in kept)
    setup = (repository / "setup.py").read_text(encoding="utf-8")
    needed = {"roseq_allennlp", "setup.py", "pyproject.toml", "README.md", "LICENSE", "requirements.txt"}
    needed |= {f"{name}.py" for name in re.findall(r'py_modules=\["(\w+)"\]', setup)}
    needed |= {"tests/requirements.txt", *re.findall(r'": "((?:training_configs|fixtures)[\w/]*)"', setup)}
    assert needed == set(kept)
