import argparse
import os
import sys

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.console import Console
from roseq_allennlp.text import shown


class Command(Subcommand):
    """
    A command of this package, both of `roseq` and of `allennlp`.

    What is wrong with its arguments or data, a `ConfigurationError`, is printed as one line, and its exit status is 1.
    """

    description: str
    """One or two sentences for `--help`; the first is also shown in the list of commands."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        raise NotImplementedError

    def run(self, args: argparse.Namespace, console: Console) -> int:
        """Returns the exit status."""
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
            raise SystemExit(shown(f"{self.name}: error: {error.message}")) from error
        except BrokenPipeError:  # the reader of the output has seen enough: `… | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left for the flush at exit
            status = 1
        if status:
            sys.exit(status)


def add_cuda_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cuda-device", type=int, default=-1, metavar="N", help="GPU to tag on, -1 for the CPU")
