"""What a step is told, and what it finds."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Optional


def arguments(description: Optional[str]) -> argparse.Namespace:
    """`device`, `quick` and `output`, a directory."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", choices=("cuda", "cpu"), required=True)
    parser.add_argument("--quick", action="store_true", help="on the sentences of fixtures/")
    parser.add_argument("--output", type=Path, required=True, help="directory for findings and logs")
    return parser.parse_args()


class Findings:
    """
    A line of JSON for each, written at once: of a step that is killed, what it had found until then is there.

    # Parameters

    file : `Path`
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._failed = False
        file.write_text("", encoding="utf-8")

    def add(self, what: str, result: Any, ok: Optional[bool] = None) -> None:
        """`ok` says whether a condition holds; `None` if there is no condition."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, "result": result, "ok": ok}, ensure_ascii=False) + "\n")
        print(f"{what}: {result}" + {True: "", False: " (FAILED)", None: ""}[ok], flush=True)
        self._failed |= ok is False

    def exit(self) -> None:
        """With the status of the step: 1 if a condition did not hold."""
        sys.exit(int(self._failed))
