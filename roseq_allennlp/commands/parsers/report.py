import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device


class ReportCommand(Command):
    """`report ARCHIVE DATA -o report.html`: writes scores, errors and sentences as one page."""

    description = (
        "Write a report on an archive and labelled data as one HTML file. It has scores with intervals, errors by kind,"
        " calibration, and the sentences with their entities marked."
    )
    example = "roseq report runs/wnut17 corpus://wnut17/test -o report.html"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="model.tar.gz, or the directory of a run")
        parser.add_argument("data", metavar="DATA", help="a labelled file, or corpus://NAME/SPLIT")
        parser.add_argument("-o", "--output", default="report.html", metavar="FILE", help="where to write it")
        parser.add_argument("--against", metavar="ARCHIVE", help="a second tagger, shown side by side")
        parser.add_argument(
            "--train",
            metavar="DATA",
            help="the training split, where the archive's config names no corpus://NAME/SPLIT",
        )
        add_cuda_device(parser)
