"""`roseq` and `allennlp` as programs."""

import argparse
import errno
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from allennlp.commands.subcommand import Subcommand
from allennlp.common.util import SigTermReceived
from torch.multiprocessing import ProcessRaisedException

import roseq_allennlp.__main__
from roseq_allennlp.commands.table import COMMANDS, IN_PLACE, OF_ALLENNLP, OWN, command
from tests.terminal import in_terminal


def test_the_commands_are_allennlp_commands():
    assert set(OWN) <= set(Subcommand.list_available())
    assert set(Subcommand.list_available()) - set(OWN) == {*OF_ALLENNLP, *IN_PLACE}
    # With this package's commands in place of its own, `allennlp` would not be AllenNLP.
    assert all(Subcommand.by_name(name).__module__.startswith("allennlp.") for name in {**OF_ALLENNLP, **IN_PLACE})


def test_help_lists_all_commands(roseq):
    output = roseq("--help").output
    for name in COMMANDS:
        assert f"\n    {name}" in output
    assert roseq().output == roseq("-h").output == output


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_an_example_and_says_what_each_argument_is(name, roseq):
    parser = command(name).parser()
    assert all(action.help for action in parser._actions)
    output = roseq(name, "--help").output
    assert "--quiet" in output and max(map(len, output.splitlines())) <= 80
    examples = re.findall(r"(?m)^example: (.*\n(?:  .*\n)*)", output)
    assert examples
    for example in examples:
        arguments = shlex.split(example.rpartition(" | ")[2])
        assert arguments[:2] == ["roseq", name]
        assert parser.parse_args(arguments[2:])
        assert all(Path(argument).is_file() for argument in arguments if argument.startswith("training_configs/"))


def test_help_names_defaults_once():
    output = command("noise").parser().format_help()
    assert "(default: 0,0.05,0.1,0.2,0.3,0.5)" in " ".join(output.split()) and "(default: None)" not in output
    assert "(default: )" not in command("train").parser().format_help()


def test_options_may_stand_between_arguments():
    args = command("predict").parser().parse_args(["a", "one.txt", "--batch-size", "8", "two.txt"])
    assert (args.archive, args.input, args.batch_size) == ("a", ["one.txt", "two.txt"], 8)


@pytest.mark.parametrize("name", {**OF_ALLENNLP, "train": "", "evaluate": ""})
def test_allennlps_commands_take_what_they_took(name):
    """By their own parsers: each option, whether it needs values and of which type, and what it is if left out."""
    theirs = Subcommand.by_name(name)().add_subparser(argparse.ArgumentParser().add_subparsers())
    if name == "checklist":  # AllenNLP has one without arguments where CheckList is not installed
        pytest.importorskip("checklist")
    added = {"quiet", "include_package", "verbose"}
    ours = [action for action in command(name).parser()._actions if action.dest not in added]

    def described(action):
        kind = None if action.type is str else action.type
        default = None if action.required or action.dest == "cache_dir" else action.default
        choices = (action.option_strings, action.dest, action.nargs, action.required, action.choices)
        return (*choices, kind, default, type(action).__name__)

    assert sorted(map(str, map(described, ours))) == sorted(map(str, map(described, theirs._actions)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["scor"], "roseq: error: there is no command scor; did you mean score? See roseq --help."),
        (["eval"], "roseq: error: there is no command eval; did you mean evaluate? See roseq --help."),
        (["xyzzy\x1b["], "roseq: error: there is no command xyzzy\\x1b[. See roseq --help."),
        (["--verson"], "roseq: error: there is no command --verson; did you mean --version? See roseq --help."),
        (["score", "--jsno"], "roseq score: error: there is no --jsno; did you mean --json? See roseq score --help."),
        (["train", "c", "--serialisation-dir=x"], "did you mean --serialization-dir? See roseq train --help."),
        (["score", "a", "b"], "roseq score: error: there is no argument b. See roseq score --help."),
        (["corpora", "lst"], "roseq corpora: error: argument action: invalid choice: 'lst'"),
        (["compare", "a"], "roseq compare: error: the following arguments are required: ARCHIVE, DATA."),
        (["predict", "a", "--batch-size", "x"], "roseq predict: error: argument --batch-size: invalid int value: 'x'."),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, message, roseq):
    result = roseq(*arguments)
    assert result.status == 2 and result.output == "" and result.errors.count("\n") == 1
    assert message in result.errors, result.errors


def test_the_version_is_that_of_this_package(roseq):
    assert roseq("--version").output == f"roseq {version('roseq-allennlp')}, AllenNLP 2.10.1\n"


@pytest.mark.parametrize("program", [["-m", "roseq_allennlp"], ["-m", "allennlp"]])
def test_as_a_program(program, repository, tmp_path):
    # In the root of a checkout `.allennlp_plugins` tells `allennlp` of the package.
    assert (repository / ".allennlp_plugins").read_text().split() == ["roseq_allennlp"]
    result = subprocess.run(
        [sys.executable, *program, "score"], input="a B-X B-X\n", capture_output=True, text=True, encoding="utf-8"
    )
    assert result.returncode == 0 and result.stdout.startswith("processed 1 tokens with 1 phrases;"), result.stderr
    if "roseq_allennlp" in program:
        assert result.stderr == ""


def test_the_console_script():
    setup = Path("setup.py").read_text(encoding="utf-8")
    assert '"roseq=roseq_allennlp.__main__:main"' in setup
    assert callable(roseq_allennlp.__main__.main)


@pytest.mark.parametrize(
    "error, status, message",
    [
        (KeyboardInterrupt(), 130, "roseq train: stopped. Go on with --recover."),
        (SigTermReceived(), 143, "roseq train: stopped. Go on with --recover."),
        (ProcessRaisedException("\n\nTraceback …\na.b.ConfigurationError: x: y", 0, 1), 1, "roseq train: error: x: y"),
        (
            ProcessRaisedException("\n\nTraceback …\nRuntimeError: Connection closed by peer", 0, 1),
            1,
            "roseq train: error: a process of the distributed run has ended (Connection closed by peer). Go on with"
            " --recover, on each node.",
        ),
        (
            OSError(errno.ENOSPC, "No space left"),
            1,
            "roseq train: error: [Errno 28] No space left. The last checkpoint stands: make room, or the directory"
            " writable, and go on with --recover.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "runs/none/metrics.json"),
            1,
            "roseq train: error: [Errno 13] Permission denied: 'runs/none/metrics.json'. The last checkpoint stands: make"
            " room, or the directory writable, and go on with --recover.",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "runs/none/metrics_epoch_1.json"),
            1,
            "roseq train: error: [Errno 2] No such file or directory: 'runs/none/metrics_epoch_1.json'. The directory"
            " runs/none is no longer there, and its checkpoints are lost: train anew.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "data/train"),
            1,
            "roseq train: error: [Errno 13] Permission denied: 'data/train'",
        ),
    ],
)
def test_what_ends_a_run_is_one_line(error, status, message, roseq, monkeypatch):
    def fail(args):
        raise error

    monkeypatch.setattr("allennlp.commands.train.train_model_from_args", fail)
    result = roseq("train", "training_configs/fixture.jsonnet", "-s", "runs/none")
    assert (result.status, result.errors.strip()) == (status, message)


@pytest.mark.parametrize("arguments", [[], ["--quiet"]])
def test_a_bar_on_a_terminal(arguments, archive_path):
    command = [sys.executable, "-m", "roseq_allennlp", "compare", archive_path, archive_path]
    shown = in_terminal([*command, "fixtures/wnut17/emerging.test.annotated", *arguments], 80)
    assert shown.status == 0 and ("━" in shown.sent) == (not arguments)
    text = "".join(shown.lines)  # what is left: the bar is not
    assert "━" not in text and "─" in text and "done in" not in text
    assert max(map(len, shown.lines)) <= 80


@pytest.mark.parametrize("arguments", [[], ["--quiet"]])
def test_lines_elsewhere(arguments, archive_path, roseq):
    result = roseq("compare", archive_path, archive_path, "fixtures/wnut17/emerging.test.annotated", *arguments)
    assert ("done in" in result.errors) == (not arguments) and "─" not in result.output
