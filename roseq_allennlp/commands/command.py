import argparse
import os
import sys
from importlib import import_module

from roseq_allennlp.commands.parser import Parser
from roseq_allennlp.console import Console
from roseq_allennlp.errors import configuration_errors
from roseq_allennlp.text import shown


class Command:
    """
    What is known of a command before it runs: name, help and arguments. Neither this module nor those in `parsers` import
    AllenNLP or torch. The work is the function `run(args, console)` in `roseq_allennlp.commands.NAME`, imported for it.

    A `ConfigurationError`, about its arguments or data, is printed as one line, and the exit status is 1.
    """

    name: str

    description: str
    """One or two sentences for `--help`; the first is also shown in the list of commands."""

    example: str
    """One or several command lines, which `--help` ends with."""

    needs_allennlp = True
    """Whether AllenNLP, plugins and `--include-package` are imported before it runs."""

    opens_archives = False
    """Whether all that it builds is of archives, which may name what is in `archive_components` and no more of AllenNLP."""

    advice = ""
    """What a user can do after the command was stopped."""

    @property
    def epilog(self) -> str:
        return "\n".join(f"example: {line}" for line in self.example.splitlines())

    @property
    def summary(self) -> str:
        return self.description.split(". ")[0].rstrip(".") + "."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        raise NotImplementedError

    def parser(self) -> argparse.ArgumentParser:
        """That of `roseq`; `allennlp` makes its own, to which it adds `--include-package`."""
        parser = Parser(prog=f"roseq {self.name}", description=self.description, epilog=self.epilog)
        self.add_arguments(parser)
        self.add_quiet(parser)
        add_include_package(parser)
        return parser

    def add_quiet(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="show results, warnings and errors, no progress")

    def run(self, args: argparse.Namespace, console: Console) -> int:
        """Does the work and returns the exit status."""
        work = import_module(f"roseq_allennlp.commands.{self.name.replace('-', '_')}")
        status: int = work.run(args, console)
        return status

    def call(self, args: argparse.Namespace, program: str = "roseq") -> None:
        """Runs the command as `program` does, and ends the process where the status is not 0."""
        try:
            status = self.run(args, Console(args.quiet, getattr(args, "file_friendly_logging", False)))
        except configuration_errors() as error:
            raise SystemExit(shown(f"{program} {self.name}: error: {error}")) from error
        except BrokenPipeError:  # the reader of the output has closed it, as `… | head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit fails too
            status = 1
        if status:
            sys.exit(status)


def add_cuda_device(parser: argparse.ArgumentParser) -> None:
    """Adds `--cuda-device N`."""
    parser.add_argument("--cuda-device", type=int, default=-1, metavar="N", help="GPU to tag on, -1 for the CPU")


def add_min_probability(parser: argparse.ArgumentParser) -> None:
    """Adds `--min-probability P` and `--review`."""
    parser.add_argument(
        "--min-probability",
        metavar="P",
        help="leave out entities below it: 0.8, PER=0.8,LOC=0.7, JSON by type, or calibrated, the archive's own",
    )
    parser.add_argument("--review", action="store_true", help='mark them "review": true instead')


def add_overrides(parser: argparse.ArgumentParser, *names: str) -> None:
    """Adds `--overrides JSON`, and other names of it."""
    parser.add_argument(
        *names, "--overrides", default="", metavar="JSON", help="changes to the config, with dotted keys"
    )


def add_include_package(parser: argparse.ArgumentParser) -> None:
    """Adds `--include-package NAME`."""
    parser.add_argument(
        "--include-package",
        action="append",
        default=[],
        metavar="NAME",
        help="a package to import, for what it registers",
    )
