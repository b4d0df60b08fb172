"""How command lines are read and explained, without AllenNLP."""

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, NoReturn, Optional

from roseq_allennlp.text import shown


class HelpFormatter(argparse.HelpFormatter):
    """Names defaults, and keeps the lines of the examples."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        is_shown = action.default not in (None, argparse.SUPPRESS, False, "") and action.default != []
        if not is_shown or action.help is None or "(default" in action.help:
            return action.help
        return f"{action.help} (default: %(default)s)"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(fill(line, width, indent) for line in text.splitlines())


class Parser(argparse.ArgumentParser):
    """
    Says what is wrong with a command line in one line, `roseq COMMAND: error: …`, and which option it may have meant.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"formatter_class": HelpFormatter, **kwargs})

    def parse_args(self, args: Sequence[str], namespace: Any = None) -> Any:  # type: ignore[override]
        self._check_options(args)
        # Intermixed: `predict ARCHIVE --batch-size 8 FILE` too.
        known, unknown = self.parse_known_intermixed_args(args, namespace)
        if unknown:
            self.error(f"there is no argument {' '.join(unknown)}")
        return known

    def _check_options(self, args: Sequence[str]) -> None:
        """First, as argparse would name what is missing rather than what is misspelt."""
        options = [option for option in self._option_string_actions if option.startswith("--")]
        for argument in args:
            name = argument.partition("=")[0]
            if name == "--":
                return
            if name.startswith("--") and " " not in name and not any(option.startswith(name) for option in options):
                self.error(f"there is no {name}{did_you_mean(name, options)}")

    def error(self, message: str) -> NoReturn:
        sentence = message if message.endswith((".", "?")) else f"{message}."
        self.exit(2, shown(f"{self.prog}: error: {sentence} See {self.prog} --help.") + "\n")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """`; did you mean …?` for a misspelt name, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
