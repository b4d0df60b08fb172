"""Runs a command of AllenNLP's by AllenNLP's own function."""

import argparse

from allennlp.commands.subcommand import Subcommand


def run(name: str, args: argparse.Namespace) -> None:
    """The function that `allennlp NAME` runs, with the arguments that were read here."""
    subparser = Subcommand.by_name(name)().add_subparser(argparse.ArgumentParser().add_subparsers())
    subparser.get_default("func")(args)
