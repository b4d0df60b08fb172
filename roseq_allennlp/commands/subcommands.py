"""This package's commands as `allennlp` has them."""

import argparse
from functools import partial

from allennlp.commands.subcommand import Subcommand

from roseq_allennlp.commands.parser import HelpFormatter
from roseq_allennlp.commands.table import OWN, command


def _register(command_name: str) -> None:
    class Registered(Subcommand):
        def add_subparser(self, parser: "argparse._SubParsersAction") -> argparse.ArgumentParser:
            chosen = command(command_name)
            subparser: argparse.ArgumentParser = parser.add_parser(
                command_name,
                description=chosen.description,
                help=chosen.summary,
                epilog=chosen.epilog.replace("roseq ", "allennlp "),
                formatter_class=HelpFormatter,
            )
            chosen.add_arguments(subparser)
            chosen.add_quiet(subparser)
            subparser.set_defaults(func=partial(chosen.call, program="allennlp"))
            return subparser

    Subcommand.register(command_name, exist_ok=True)(Registered)


for _name in OWN:
    _register(_name)
