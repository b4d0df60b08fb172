import argparse

from roseq_allennlp.commands.command import Command


class InfoCommand(Command):
    """`info ARCHIVE`: what an archive says of itself."""

    description = "Print what an archive says of itself: model, language, labels, training data and scores."
    example = "roseq info model.tar.gz\nroseq info hf://user/model"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "archive", metavar="ARCHIVE", help="a model.tar.gz, the directory of a run, or hf://USER/MODEL[@REVISION]"
        )
