"""
Writes gpu.json and gpu.md from what the steps have left in a directory's logs/: `steps.tsv` (number, name, exit status,
seconds, and why a step was left out), a log each, and what they found. Needs Python's own library only.

    python -m benchmarks.gpu.summary DIRECTORY
"""

import json
import sys
from pathlib import Path
from typing import Any

STATUS = {"0": "passed", "124": "timed out", "137": "timed out", "143": "stopped", "-": "left out"}


def main() -> None:
    directory = Path(sys.argv[1])
    steps = [_step(directory / "logs", line.split("\t")) for line in _lines(directory / "logs" / "steps.tsv")]
    text = json.dumps({"steps": steps}, indent=1, ensure_ascii=False)
    (directory / "gpu.json").write_text(text + "\n", encoding="utf-8")
    (directory / "gpu.md").write_text(_markdown(directory, steps), encoding="utf-8")


def _step(directory: Path, fields: list[str]) -> dict[str, Any]:
    number, name, status, seconds, *reason = fields
    log = _lines(directory / f"{name}.step.log")
    found = [json.loads(line) for line in _lines(directory / f"{name}.jsonl") if line.endswith("}")]
    return {
        "step": int(number),
        "name": name,
        "status": STATUS.get(status, f"failed, exit status {status}"),
        "seconds": int(seconds),
        "last_line": reason[0] if reason else _last_line(directory, name, log)[:300],
        "findings": found,
        "failures": [] if status in ("0", "-") else _failures(directory, name, log),
    }


def _last_line(directory: Path, name: str, log: list[str]) -> str:
    """Of the step, or of the process that wrote last where the step itself has nothing to say yet."""
    logs = sorted(directory.glob(f"{name}-*.log"), key=lambda file: file.stat().st_mtime, reverse=True)
    return next((lines[-1] for lines in (log, *map(_lines, logs)) if lines), "")


def _failures(directory: Path, name: str, log: list[str]) -> list[str]:
    """Tests and sections of the benchmark that failed, and how far the processes of the step came."""
    lines = [line for line in log if line.startswith(("FAILED ", "ERROR ")) or " failed: " in line][:30]
    for file in sorted(directory.glob(f"{name}-*.log")):
        lines += [f"{file.name}: {line}" for line in _lines(file)[-1:]]
    return [line[:300] for line in lines]


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8", errors="replace")
    return [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.strip()]


def _markdown(directory: Path, steps: list[dict[str, Any]]) -> str:
    parts = [
        "# A run on a GPU, or its rehearsal on a CPU",
        _table(
            ["step", "", "status", "seconds", "last line"],
            [[step["step"], step["name"], step["status"], step["seconds"], step["last_line"]] for step in steps],
        ),
    ]
    for step in steps:
        rows = [
            [finding["what"], finding["result"], {True: "yes", False: "**no**", None: ""}[finding["ok"]]]
            for finding in step["findings"]
        ]
        parts += [f"## {step['step']}. {step['name']}"] * bool(rows or step["failures"])
        parts += [_table(["what", "", "as it should be"], rows)] * bool(rows)
        parts += ["\n".join(f"- `{line}`" for line in step["failures"])] * bool(step["failures"])
    for table in (directory / "cuda.md", directory / "cpu.md"):  # of the benchmark
        if table.is_file():
            parts.append(table.read_text(encoding="utf-8").replace("# ", "## ", 1).strip())
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
