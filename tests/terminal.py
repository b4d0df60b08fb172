"""What a terminal shows of a program."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from typing import NamedTuple

_CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Shown(NamedTuple):
    status: int
    lines: list[str]
    """On the screen, and above it, at the end."""
    sent: str
    """All that came."""


def in_terminal(command: Sequence[object], columns: int, **environment: str) -> Shown:
    """Runs a command whose three streams are a terminal of so many columns."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    variables |= {"TERM": "xterm-256color", **environment}
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    sent = b""
    with subprocess.Popen([*map(str, command)], env=variables, start_new_session=True, **streams) as process:
        os.close(terminal)
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while part := os.read(master, 4096):
                sent += part
    os.close(master)
    text = sent.decode()
    return Shown(process.returncode, screen(text, columns), text)


def screen(text: str, columns: int) -> list[str]:
    """The lines that a terminal makes of what is sent to it."""
    rows: list[list[str]] = [[]]
    row = column = position = 0
    while position < len(text):
        if control := _CONTROL.match(text, position):
            position = control.end()
            argument, kind = control.groups()
            if kind == "A":
                row = max(0, row - int(argument or 1))
            elif kind == "K":
                rows[row] = [] if argument == "2" else rows[row][:column]
            else:
                assert kind in "mhl", control[0]  # colours, and whether the cursor is shown
            continue
        character, position = text[position], position + 1
        if character == "\r":
            column = 0
            continue
        if character == "\n" or column == columns:
            row += 1
            rows += [[]] if row == len(rows) else []
        if character == "\n" or column == columns:
            column = 0
        if character != "\n":
            rows[row] += " " * (column + 1 - len(rows[row]))
            rows[row][column] = character
            column += 1
    return ["".join(cells).rstrip() for cells in rows]
