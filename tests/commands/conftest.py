import sys
from typing import NamedTuple

import pytest

from roseq_allennlp.__main__ import main


class Result(NamedTuple):
    status: int
    output: str
    errors: str


@pytest.fixture
def roseq(monkeypatch, capfd):
    """Runs a command line as `roseq` does, in this process: one of its own would take seconds to start."""

    def run(*arguments) -> Result:
        monkeypatch.setattr(sys, "argv", ["roseq", *map(str, arguments)])
        capfd.readouterr()
        status = 0
        try:
            main()
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
            status = error.code if isinstance(error.code, int) else 1
        return Result(status, *capfd.readouterr())

    return run
