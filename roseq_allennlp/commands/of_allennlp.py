"""Runs a command of AllenNLP's by AllenNLP's own function."""

import argparse

from allennlp.commands.subcommand import Subcommand

from roseq_allennlp.commands.allennlp_bars import bars_shown
from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.commands.training_checks import check_training
from roseq_allennlp.console import Console
from roseq_allennlp.training.devices import check_device


def run(name: str, args: argparse.Namespace, console: Console) -> None:
    """The function that `allennlp NAME` runs, with the arguments that were read here."""
    if hasattr(args, "param_path"):
        check_training(args, trains=False)
    for output in (getattr(args, key, None) for key in ("output_path", "output_file")):
        if output:
            prepared(output)
    if hasattr(args, "cuda_device"):
        check_device(args.cuda_device, "--cuda-device")
    subparser = Subcommand.by_name(name)().add_subparser(argparse.ArgumentParser().add_subparsers())
    with bars_shown(console, name):
        subparser.get_default("func")(args)
