"""How a command that needs AllenNLP runs: with its plugins, and with safer functions in the place of some of AllenNLP's."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from allennlp.commands.subcommand import Subcommand
from allennlp.common.util import SigTermReceived, install_sigterm_handler

from roseq_allennlp import plugins
from roseq_allennlp.commands.command import Command, add_include_package
from roseq_allennlp.commands.explanations import explain
from roseq_allennlp.commands.parser import Parser
from roseq_allennlp.commands.parsers.of_allennlp import AllenNlpsCommand
from roseq_allennlp.errors import Terminated
from roseq_allennlp.models import archive
from roseq_allennlp.text import shown

# The names in AllenNLP's commands for which this package has a safer function, and where.
_SAFER: dict[tuple[str, str], Any] = {
    ("allennlp.commands.train", "archive_model"): archive,
    ("allennlp.commands.train", "_train_worker"): plugins,
    ("allennlp.commands.evaluate", "load_archive"): archive,
}


def call(command: Command, args: argparse.Namespace) -> None:
    """
    Runs a command. `--quiet` stands for `--file-friendly-logging` with nothing below warnings, where standard error is no
    terminal `--file-friendly-logging` is set, and archives are written and opened by `roseq_allennlp.models.archive`.
    """
    if args.quiet:
        os.environ.setdefault("ALLENNLP_LOG_LEVEL", "WARNING")
    # This variable would have torch unpickle a run's weights for --recover.
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    if hasattr(args, "file_friendly_logging"):
        args.file_friendly_logging |= args.quiet or not sys.stderr.isatty()
    plugins.import_plugins()
    plugins.import_packages(args.include_package)
    install_sigterm_handler()
    with safer_functions():
        try:
            command.call(args)
        except OSError:
            raise
        except SigTermReceived as error:
            raise Terminated from error
        except Exception as error:
            explained = explain(error, args) if isinstance(command, AllenNlpsCommand) else None
            if explained is None:
                raise
            raise SystemExit(shown(f"roseq {command.name}: error: {explained}")) from error


@contextlib.contextmanager
def safer_functions() -> Iterator[None]:
    """Puts the functions of `_SAFER` in the place of AllenNLP's."""
    before = {key: getattr(import_module(key[0]), key[1]) for key in _SAFER}
    try:
        for (module, name), source in _SAFER.items():
            setattr(import_module(module), name, getattr(source, name.lstrip("_")))
        yield
    finally:
        for (module, name), function in before.items():
            setattr(import_module(module), name, function)


def registered_commands() -> list[str]:
    """Imports the plugins, and returns all commands that are registered then."""
    plugins.import_plugins()
    return Subcommand.list_available()


class CommandOfPlugin(AllenNlpsCommand):
    """A command that a plugin has registered with AllenNLP, as `roseq` runs it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def parser(self) -> argparse.ArgumentParser:
        subparsers = Parser(prog="roseq").add_subparsers(prog="roseq")
        parser: argparse.ArgumentParser = Subcommand.by_name(self.name)().add_subparser(subparsers)
        if "--quiet" not in parser.format_help():
            self.add_quiet(parser)
        add_include_package(parser)
        return parser
