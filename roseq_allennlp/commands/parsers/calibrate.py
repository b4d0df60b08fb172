import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device


class CalibrateCommand(Command):
    """`calibrate ARCHIVE DEV -o ARCHIVE`: fits the temperature of a tagger's probabilities."""

    description = (
        "Fit a temperature of the CRF to development data, so that eight in ten entities are right that have the probability"
        " 0.8. The tags stay as they are. Never give it the data that you test on."
    )
    example = "roseq calibrate runs/nl corpus://conll2002-nl/dev -o nl.tar.gz"
    opens_archives = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("data", metavar="DEV", help="a labelled file, or corpus://NAME/SPLIT")
        parser.add_argument("-o", "--output", required=True, metavar="ARCHIVE", help="the archive to write")
        parser.add_argument(
            "--target-precision",
            type=float,
            metavar="P",
            help="find for each type the probability from which on precision is P, such as 0.9, and keep it",
        )
        add_cuda_device(parser)
