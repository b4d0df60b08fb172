import argparse

from roseq_allennlp.commands.command import Command
from roseq_allennlp.data.catalogue import CORPORA


class SuspectsCommand(Command):
    """`suspects CONFIG|CORPUS -o suspects.html`: ranks the labels of training data that are probably wrong."""

    description = (
        "Rank the labels of training data that are probably wrong, by taggers that have not seen them: as a page, JSON lines, and"
        " tasks of Label Studio. A stopped command goes on where it stopped when it is run again."
    )
    example = "roseq suspects wnut17 -o suspects.html"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "config",
            metavar="CONFIG|CORPUS",
            help="a training config, or a corpus of the catalogue, which the base model is trained on:"
            f" {', '.join(CORPORA)}",
        )
        parser.add_argument("-o", "--output", default="suspects.html", metavar="FILE", help="where to write the page")
        parser.add_argument("--folds", type=int, default=3, metavar="N", help="how many taggers are trained")
        parser.add_argument(
            "--epochs", type=int, default=10, metavar="N", help="of each; the development data choose the best of them"
        )
        parser.add_argument("--sentences", type=int, metavar="N", help="look at the first N training sentences only")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what is drawn at random")
        parser.add_argument(
            "-s", "--serialization-dir", metavar="DIR", help="where to train; runs/suspects/NAME if left out"
        )
        parser.add_argument("--overrides", default="", metavar="JSON", help="changes to the config, with dotted keys")
