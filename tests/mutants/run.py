"""
Runs the mutation tests with mutmut: changes one thing in the package at a time and looks whether a test fails.

    python tests/mutants/run.py [--again] [--jobs 1] [part ...]

Each of `PARTS` is copied to build/mutants/ and changed there, one mutant at a time or `--jobs`; its tests are those that mirror it. A run that
was stopped goes on where it was, and mutants of functions that have changed since run anew. `--again` also runs the
survivors again, for instance after a new test.

Prints for each part how many mutants were killed, and every survivor that survivors.md does not list, in the form in
which that file lists them. Ends with status 1 if there is such a survivor, or if fewer than 95 % of those that are not
equivalent were killed.
"""

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import libcst as cst

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutants"
SURVIVORS = Path(__file__).with_name("survivors.md")
PACKAGE = "roseq_allennlp"
WANTED = 0.95

# The only list of paths: the modules of each part, below the package, and its tests, below tests/.
CALLBACKS = "training/callbacks"
PARTS = {
    "scoring": (["scoring/*"], ["scoring"]),
    "data": (
        ["data/tag_schemes.py", "data/label_statistics.py", "data/orthography.py"],
        ["data/test_tag_schemes.py", "data/test_label_statistics.py", "data/test_orthography.py"],
    ),
    "nn": (["nn/*"], ["nn", "modules"]),
    "modules": (["modules/*"], ["modules"]),
    **{
        name: ([f"{CALLBACKS}/{name}.py"], [f"{CALLBACKS}/test_{name}.py"])
        for name in ("late_start", "score_table", "finite_loss", "label_statistics", "augmentation", "adversarial")
    },
    # Each mutant trains several times: only the quickest tests that see all of the callback.
    "exact_recovery": (
        [f"{CALLBACKS}/exact_recovery.py"],
        [
            f"{CALLBACKS}/test_exact_recovery.py::{test}"
            for test in (
                "test_the_scale_of_the_loss_is_kept",
                "test_a_second_signal_ends_at_once",
                "test_nodes_that_start_from_different_checkpoints_are_refused",
                "test_the_signals_are_given_back",
                "test_a_killed_run_ends_as_one_that_was_not[moving average]",
                "test_a_killed_run_ends_as_one_that_was_not[accumulation]",
                "test_a_signal_in_the_last_batch_of_an_epoch",
                "test_a_checkpoint_after_the_last_batch_before_validation",
                "test_a_complete_run_is_not_trained_further",
                "test_a_checkpoint_of_another_run_is_refused",
                "test_a_checkpoint_of_version_0_1_has_no_callbacks_no_vocabulary_and_metrics_by_position",
                "test_the_generators_are_set_to_their_saved_state",
                "test_the_generator_of_the_gpu_is_kept_with_the_others",
                "test_each_process_takes_its_own_generators",
                "test_the_generators_of_all_processes_are_kept_at_the_end_of_an_epoch",
                "test_signals_are_taken_over_once_by_the_main_thread_of_one_process",
                "test_a_signal_saves_the_state[accumulation-2]",
                "test_a_scale_that_is_saved_or_needed_alone",
                "test_a_signal_says_what_it_does",
                "test_the_exception_of_a_signal_says_where_the_run_was",
                "test_the_last_batch_is_known_where_the_length_is",
                "test_metrics_of_a_complete_run_that_cannot_be_read",
                "test_the_vocabulary_is_told_by_what_is_in_it",
                "test_a_checkpoint_of_a_gpu_is_recovered_on_the_cpu",
                "test_a_run_of_one_epoch_is_complete_after_it",
                "test_the_primary_process_keeps_the_best_weights",
                "test_an_epoch_of_one_batch_that_was_trained_before",
            )
        ],
    ),
}
COPIED = ["fixtures", "training_configs", ".allennlp_plugins"]  # beside the package and the tests

KILLED = {"killed", "timeout", "segfault"}


class Undecorated(cst.CSTTransformer):
    """
    Writes `f = decorator(f)` behind `f` in place of `@decorator`, since mutmut leaves decorated functions alone. A cache
    goes: it would give mutants the results of the unchanged function.
    """

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel:
        decorators = [decorator.decorator for decorator in updated_node.decorators]
        names = [cst.Module([]).code_for_node(decorator) for decorator in decorators]
        # The setter of a property is a method of what its function replaces, so it stays.
        if names in ([], ["staticmethod"], ["classmethod"]) or any(name.endswith(".setter") for name in names):
            return updated_node
        value: cst.BaseExpression = updated_node.name
        for decorator, name in zip(reversed(decorators), reversed(names), strict=True):
            if "cache" not in name:
                value = cst.Call(decorator, [cst.Arg(value)])
        assignment = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(updated_node.name)], value)])
        return cst.FlattenSentinel([updated_node.with_changes(decorators=()), assignment])


def write(path: Path, content: bytes) -> None:
    """Not where it is the same: by the time of a file mutmut knows whether its results stand."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def copy(part: str) -> Path:
    """The project as mutmut takes it, in the part's directory."""
    modules, tests = PARTS[part]
    target = BUILD / part
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", PACKAGE, "tests", *COPIED],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        content = (ROOT / name).read_bytes()
        if name.startswith(PACKAGE) and name.endswith(".py"):
            content = cst.parse_module(content).visit(Undecorated()).bytes
        write(target / name, content)
    settings = {
        "source_paths": [PACKAGE],
        "only_mutate": [f"{PACKAGE}/{module}" for module in modules],
        "pytest_add_cli_args_test_selection": [f"tests/{test}" for test in tests],
        "also_copy": COPIED,
    }
    lines = [f"{key} = {value}" for key, value in settings.items()]
    flags = ["use_git_change_detection = false", "track_dependencies = false"]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    write(target / "pyproject.toml", "\n".join([project, "[tool.mutmut]", *lines, *flags, ""]).encode())
    return target


def mutmut(target: Path, *arguments: str, output: bool = True) -> str:
    (target / "mutants").mkdir(exist_ok=True)  # before Python looks for modules there
    path = os.pathsep.join([str(target / "mutants"), os.environ.get("PYTHONPATH", "")])
    # Not `-m mutmut`, which the trampolines of the mutants would import a second time.
    command = [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", *arguments]
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=target, env=environment, check=True, text=True, stdout=subprocess.PIPE if output else None
    )
    return result.stdout or ""


def results(target: Path) -> dict[str, str]:
    """What became of each mutant, by its name."""
    lines = mutmut(target, "results", "--all", "true").splitlines()
    return dict(line.strip().split(": ") for line in lines if "__mutmut_" in line)


def describe(target: Path, mutant: str) -> str:
    """The function of a mutant without its package, and the lines that differ."""
    module, _, name = mutant.rpartition(".")
    function = re.sub("__mutmut_[0-9]+$", "", name).removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    diff = [line for line in mutmut(target, "show", mutant).splitlines() if re.match(r"[-+](?!--|\+\+)", line)]
    return "\n".join([f"{module.rpartition('.')[2]}.{function}", *(f"{line[0]} {line[1:].strip()}" for line in diff)])


def listed() -> tuple[str, str]:
    """The two sections of survivors.md: equivalent mutants, and those that change something."""
    equivalent, _, others = SURVIVORS.read_text(encoding="utf-8").partition("\n## Not killed")
    return equivalent, others


def report(part: str, target: Path) -> bool:
    found = results(target)
    equivalent, others = listed()
    kinds: Counter[str] = Counter()
    unlisted = []
    for mutant, status in found.items():
        if status in KILLED:
            kinds[status] += 1
        elif status == "not checked":
            kinds["not run"] += 1
        else:
            text = describe(target, mutant) + "\n"
            kind = "equivalent" if text in equivalent else "survived"
            kinds[kind] += 1
            if kind == "survived" and text not in others:
                unlisted.append(f"{text}")
    killed = sum(kinds[kind] for kind in KILLED)
    share = killed / max(1, killed + kinds["survived"])
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"{part}: {100 * share:.1f} % killed of those that are not equivalent ({len(found)} mutants: {counts})")
    if unlisted:
        print("\n".join(["Not in survivors.md:", *unlisted]))
    return share >= WANTED and not unlisted and not kinds["not run"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default", metavar="part")
    parser.add_argument("--again", action="store_true", help="run the survivors again")
    parser.add_argument("--jobs", default="1", help="mutants at a time (default: %(default)s)")
    parser.add_argument("--report", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {unknown}; known are {', '.join(PARTS)}")
    good = True
    for part in arguments.parts or PARTS:
        target = BUILD / part
        if not arguments.report:
            target = copy(part)
            mutmut(target, "run", "--max-children", arguments.jobs, output=False)
            survivors = [mutant for mutant, status in results(target).items() if status not in KILLED]
            if arguments.again and survivors:
                mutmut(target, "run", "--max-children", arguments.jobs, *survivors, output=False)
        good &= report(part, target)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
