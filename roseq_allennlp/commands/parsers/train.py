import argparse

from roseq_allennlp.commands.command import add_overrides
from roseq_allennlp.commands.parsers.of_allennlp import AllenNlpsCommand, add_file_friendly_logging


class TrainCommand(AllenNlpsCommand):
    """`train CONFIG -s DIR`: trains a tagger, with AllenNLP's trainer."""

    description = (
        "Train a model on a config's data. The run's directory gets its log, its checkpoints and, at the end, the archive"
        " model.tar.gz."
    )
    example = "roseq train training_configs/roseq_wnut17.jsonnet -s runs/wnut17"
    advice = " Go on with --recover."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("param_path", metavar="CONFIG", help="a training config (jsonnet)")
        parser.add_argument(
            "-s", "--serialization-dir", required=True, metavar="DIR", help="the directory of the run, which is made"
        )
        parser.add_argument("-r", "--recover", action="store_true", help="go on with a run that was stopped")
        parser.add_argument("-f", "--force", action="store_true", help="replace the directory if it exists")
        add_overrides(parser, "-o")
        parser.add_argument(
            "--node-rank",
            type=int,
            default=0,
            metavar="N",
            help="number of this machine in distributed training, from 0",
        )
        parser.add_argument("--dry-run", action="store_true", help="make the vocabulary and show sizes, do not train")
        add_file_friendly_logging(parser)
        parser.add_argument("-v", "--verbose", action="store_true", help="show the whole log")
