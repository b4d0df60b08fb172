"""
What it takes to start: CPU seconds and peak memory of commands, each in a process of its own.

    python -m benchmarks.start                        this checkout
    python -m benchmarks.start --against DIRECTORY    in turn with another checkout, with ratios
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate  # nothing of the package: a process has at least the memory of the one that starts it

ROOT = Path(__file__).parents[1]
ARCHIVE = str(ROOT / "fixtures" / "archive" / "model.tar.gz")
DATA = str(ROOT / "fixtures" / "wnut17" / "emerging.test.annotated")
COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "train help": ["train", "--help"],
    "score": ["score", "TAGGED"],
    "corpora list": ["corpora", "list"],
    "corpora stats": ["corpora", "stats"],
    "results": ["results", *map(str, sorted((ROOT / "results").glob("*.jsonl"))), "-o", "PAGE"],
    "predict": ["predict", ARCHIVE, "SENTENCE"],
    "evaluate": ["evaluate", ARCHIVE, DATA],
    "report": ["report", ARCHIVE, DATA, "-o", "REPORT"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--repeats", type=int, default=5, help="turns after the warm-up")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="commands to start")
    arguments = parser.parse_args()
    checkouts = [ROOT, *([arguments.against.resolve()] if arguments.against else [])]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = _files(Path(folder))
        for name in arguments.only:
            command = [files.get(argument, argument) for argument in COMMANDS[name]]
            readings: list[list[tuple[float, float]]] = [[] for _ in checkouts]
            for _ in range(arguments.repeats + 1):
                for checkout, values in zip(checkouts, readings, strict=True):
                    values.append(_start(checkout, command))
            seconds, memory = (
                [statistics.median(value[kind] for value in values[1:]) for values in readings] for kind in (0, 1)
            )
            ratio = [f"{100 * seconds[0] / seconds[1]:.0f} %"] if arguments.against else []
            rows.append([name, *(f"{value:.2f}" for value in seconds), *ratio, *(f"{value:.0f}" for value in memory)])
            print(rows[-1], flush=True)
    both = ["", ", theirs"] if arguments.against else [""]
    headers = ["command", *(f"CPU s{of}" for of in both), *(["of theirs"] if arguments.against else [])]
    print(tabulate(rows, [*headers, *(f"MB{of}" for of in both)], "github", disable_numparse=True))


def _files(folder: Path) -> dict[str, str]:
    files = {name: str(folder / name) for name in ("TAGGED", "SENTENCE", "PAGE", "REPORT")}
    Path(files["TAGGED"]).write_text("Anna B-PER B-PER\n\n" * 10_000, encoding="utf-8")
    Path(files["SENTENCE"]).write_text("Anna lives in Bonn .\n", encoding="utf-8")
    Path(files["PAGE"]).write_text((ROOT / "docs" / "results.md").read_text(encoding="utf-8"), encoding="utf-8")
    return files


def _start(checkout: Path, command: list[str]) -> tuple[float, float]:
    """CPU seconds of the process, and its peak memory in MB."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    environment.setdefault("ROSEQ_DATA", str(ROOT / "fixtures"))
    with subprocess.Popen(
        [sys.executable, "-m", "roseq_allennlp", *command],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(errors.decode()[-2000:])
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
