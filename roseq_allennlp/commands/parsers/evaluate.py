import argparse

from roseq_allennlp.commands.command import add_cuda_device, add_overrides
from roseq_allennlp.commands.parsers.of_allennlp import AllenNlpsCommand, add_file_friendly_logging


class EvaluateCommand(AllenNlpsCommand):
    """`evaluate ARCHIVE DATA`: scores an archive on labelled data."""

    description = "Score an archive on labelled data. Several files are separated by commas, each scored by itself."
    example = "roseq evaluate runs/wnut17/model.tar.gz corpus://wnut17/test"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive_file", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("input_file", metavar="DATA", help="a labelled file, or corpus://NAME/SPLIT; or A,B")
        parser.add_argument("--output-file", metavar="FILE", help="where to write the scores as JSON; A,B for several")
        parser.add_argument(
            "--predictions-output-file",
            metavar="FILE",
            help="where to write predictions as JSON lines; A,B for several",
        )
        parser.add_argument(
            "--auto-names",
            choices=["NONE", "METRICS", "PREDS", "ALL"],
            default="NONE",
            help="which of these two files get names made from those of DATA",
        )
        parser.add_argument("--weights-file", metavar="FILE", help="in place of the archive's weights")
        add_cuda_device(parser)
        add_overrides(parser, "-o")
        parser.add_argument("--batch-size", type=int, metavar="N", help="sentences a batch; the config's if left out")
        parser.add_argument(
            "--batch-weight-key", default="", metavar="NAME", help="the metric that weighs a batch's loss"
        )
        parser.add_argument("--extend-vocab", action="store_true", help="add the data's words to the vocabulary")
        parser.add_argument(
            "--embedding-sources-mapping",
            default="",
            metavar="JSON",
            help="with --extend-vocab: the vectors' file of each embedding, where it is not the config's",
        )
        add_file_friendly_logging(parser)
        parser.add_argument("-v", "--verbose", action="store_true", help="show the whole log")
