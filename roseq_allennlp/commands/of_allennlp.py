"""Runs a command of AllenNLP's by AllenNLP's own function."""

import argparse
from pathlib import Path

from allennlp.commands.subcommand import Subcommand

from roseq_allennlp.commands.allennlp_bars import bars_shown
from roseq_allennlp.console import Console


def run(name: str, args: argparse.Namespace, console: Console) -> None:
    """The function that `allennlp NAME` runs, with the arguments that were read here."""
    subparser = Subcommand.by_name(name)().add_subparser(argparse.ArgumentParser().add_subparsers())
    with bars_shown(console, name):
        subparser.get_default("func")(args)
    if name == "find-lr":
        console.print(f"The plot is {Path(args.serialization_dir) / 'lr-losses.png'}")
