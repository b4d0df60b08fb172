import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device


class CompareCommand(Command):
    """`compare ARCHIVE ARCHIVE DATA`: compares two taggers on the same sentences."""

    description = (
        "Compare two archives on the same labelled sentences. Shows where one is right and the other wrong, F1 for each"
        " label, and F1 with bootstrap intervals and a paired test."
    )
    example = "roseq compare runs/base runs/roseq corpus://wnut17/test"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archives", nargs=2, metavar="ARCHIVE", help="model.tar.gz, or the directory of a run")
        parser.add_argument("data", metavar="DATA", help="a labelled file, or corpus://NAME/SPLIT")
        add_cuda_device(parser)
