import argparse
import os
import sys

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.console import Console
from roseq_allennlp.text import shown


class Command(Subcommand):
    """
    A command of this package, for both `roseq` and `allennlp`.

    A `ConfigurationError`, about its arguments or data, is printed as one line, and the exit status is 1.
    """

    program = ""
    """What messages have before the command's name."""

    description: str
    """One or two sentences for `--help`; the first is also shown in the list of commands."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        raise NotImplementedError

    def run(self, args: argparse.Namespace, console: Console) -> int:
        """Does the work and returns the exit status."""
        raise NotImplementedError

    def add_subparser(self, parser: "argparse._SubParsersAction") -> argparse.ArgumentParser:
        summary = self.description.split(". ")[0].rstrip(".") + "."
        subparser = parser.add_parser(self.name, description=self.description, help=summary)
        self.add_arguments(subparser)
        subparser.add_argument("--quiet", action="store_true", help="plain lines in place of a progress bar")
        subparser.set_defaults(func=self._run)
        return subparser

    def _run(self, args: argparse.Namespace) -> None:
        try:
            status = self.run(args, Console(args.quiet))
        except ConfigurationError as error:
            raise SystemExit(shown(f"{self.program}{self.name}: error: {error.message}")) from error
        except BrokenPipeError:  # the reader of the output has closed it, as `… | head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit fails too
            status = 1
        if status:
            sys.exit(status)


def add_cuda_device(parser: argparse.ArgumentParser) -> None:
    """Adds `--cuda-device N`."""
    parser.add_argument("--cuda-device", type=int, default=-1, metavar="N", help="GPU to tag on, -1 for the CPU")
