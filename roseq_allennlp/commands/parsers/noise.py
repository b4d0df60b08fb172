import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device
from roseq_allennlp.data.noise import KINDS

LEVELS = "0,0.05,0.1,0.2,0.3,0.5"


class NoiseCommand(Command):
    """`noise ARCHIVE … DATA`: measures F1 as typing noise grows."""

    description = (
        "Score archives on labelled data as typing noise grows. Words are mistyped at random but never split or lost, so"
        " that gold entities stay; the same seed gives the same text to each archive."
    )
    example = "roseq noise runs/base runs/roseq corpus://wnut17/test -o noise.svg"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archives", nargs="+", metavar="ARCHIVE", help="model.tar.gz, or the directory of a run")
        parser.add_argument("data", metavar="DATA", help="a labelled file, or corpus://NAME/SPLIT")
        parser.add_argument("--levels", default=LEVELS, metavar="A,B", help="shares of words that are changed")
        parser.add_argument("--kinds", default=",".join(KINDS), metavar="A,B", help="ways to change a word")
        parser.add_argument("--seed", type=int, default=1, metavar="N")
        parser.add_argument("-o", "--output", default="noise.svg", metavar="FILE", help="where to write the plot")
        add_cuda_device(parser)
