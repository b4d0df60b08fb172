"""
Reads the pages: README.md and docs/. A comment before each fenced block says what a test does with it.

    <!-- run -->                    runs its commands, a line each, or its Python
    <!-- run, shortened by JSON --> adds overrides to each command of training
    <!-- prints -->                 is what the block before prints: `…` stands for anything, seconds may differ
    <!-- prints, within 5 -->       the same, and its numbers may differ by 5
    <!-- prints, other numbers -->  the same, with any numbers
    <!-- file NAME -->              is written to a file
    <!-- config -->                 is evaluated as Jsonnet, in training_configs/
    <!-- not run: REASON -->
    <!-- before: COMMAND -->        stands alone: what a reader of the page has already
"""

import math
import re
from typing import NamedTuple, Optional

_PART = re.compile(r"^(?:<!-- (?P<mark>[^\n]*) -->|```(?P<language>\w*)\n(?P<text>.*?)^```)$", re.MULTILINE | re.DOTALL)
_KIND = re.compile(r"(run|prints|file|config|not run|before)\b(?:, shortened by |, |: ?| )?(.*)", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_RULE = re.compile(r"[-─━═]{2,}")
_LONG_JSON = re.compile(r"^\{.*(?:\n .*)+", re.MULTILINE)  # a page has a line of JSON on several ones


class Block(NamedTuple):
    """A fenced block, or a command of `before`; `line` is where it begins."""

    kind: str
    detail: str
    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order. `ValueError`: a block without a comment that says what to do with it."""
    parts: list[Block] = []
    mark: Optional[tuple[str, str]] = None
    end = 0
    for match in _PART.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        if match["text"] is None:
            known = _KIND.fullmatch(match["mark"].strip())
            mark, end = (known[1], known[2].strip()) if known else None, match.end()
            if mark and mark[0] == "before":
                parts.append(Block(*mark, "bash", mark[1], line))
                mark = None
            continue
        if mark is None or page[end : match.start()].strip():
            raise ValueError(f"line {line}: nothing says whether this block is run")
        if mark[0] in ("file", "not run") and not mark[1]:
            raise ValueError(f"line {line}: the name or the reason is missing")
        parts.append(Block(*mark, match["language"], match["text"], line))
        mark = None
    return parts


def command_lines(text: str) -> list[str]:
    """The commands of a block of Bash, those of several lines as one; `&&` stands between two."""
    lines: list[str] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if lines and lines[-1].count("'") % 2:  # within quotation marks
            lines[-1] += "\n" + line
        elif line.strip() and not line.lstrip().startswith("#"):
            lines.append(line)
    return [command.strip() for line in lines for command in line.split(" && ")]


def difference(expected: str, printed: str, detail: str = "") -> Optional[str]:
    """What is printed otherwise than it should be, with `detail` as a comment of `prints` has it; `None` if nothing is."""
    allowed = math.inf if detail == "other numbers" else float(detail.removeprefix("within ") or 0)
    expected = _LONG_JSON.sub(lambda match: re.sub(r"\n +", " ", match[0]), expected)
    wanted, given = (
        "".join(f"{_plain(line)}\n" for line in text.splitlines() if line.strip()) for text in (expected, printed)
    )
    pattern = re.escape(_NUMBER.sub("\0", wanted)).replace(re.escape("\0"), f"({_NUMBER.pattern})")
    pattern = re.sub(r"(?m)^…\\\n", r"(?:.*\\n)*?", pattern).replace("…", ".*")
    match = re.fullmatch(pattern, given)
    if match is None:
        return f"expected\n{wanted}\n\nprinted\n{given}"
    for number, other in zip(_NUMBER.finditer(wanted), match.groups(), strict=True):
        of_time = re.match(r" ?s\b", wanted[number.end() :])
        if not of_time and abs(float(number[0]) - float(other)) > allowed:
            return f"expected {number[0]} and got {other} in\n{given}"
    return None


def _plain(line: str) -> str:
    """A line without what depends on the width of its cells."""
    return _RULE.sub("--", re.sub(r"\s+", " ", line)).strip()
