import argparse

from roseq_allennlp.commands.command import add_overrides
from roseq_allennlp.commands.parsers.of_allennlp import AllenNlpsCommand, add_file_friendly_logging


class FinetuneCommand(AllenNlpsCommand):
    """`finetune ARCHIVE --train DATA -s DIR`: trains a trained tagger on new data."""

    description = (
        "Train a trained tagger on new data, with new words, characters and types. The archive that this makes needs the"
        " first one no more."
    )
    example = (
        "roseq finetune model.tar.gz --train new.conll -s runs/new\n"
        "roseq finetune model.tar.gz --train new --replay old=0.3 -s runs/new"
    )
    advice = " Go on with --recover."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("--train", required=True, metavar="DATA", help="a labelled file, or corpus://NAME/SPLIT")
        parser.add_argument(
            "--dev", metavar="DATA", help="chooses the best epoch; the last one is kept if it is left out"
        )
        parser.add_argument(
            "-s", "--serialization-dir", required=True, metavar="DIR", help="the directory of the run, which is made"
        )
        parser.add_argument(
            "--types", metavar="A,B", help="entity types that are taken from the training data; all if left out"
        )
        parser.add_argument(
            "--replay",
            action="append",
            default=[],
            metavar="DATA=SHARE",
            help="older training data, of which that share is trained on too, such as old.conll=0.3; may be repeated",
        )
        parser.add_argument(
            "--unmarked",
            choices=("O", "unknown"),
            help="what a token is that the training data leaves unmarked and the archive gives a type which the data lacks"
            " (default: unknown with --replay, else O)",
        )
        parser.add_argument(
            "--vectors", metavar="FILE", help="word vectors of the kind that the archive has, for words that it lacks"
        )
        parser.add_argument(
            "--layer-decay",
            type=float,
            default=1.0,
            metavar="X",
            help="multiplies the learning rate for each layer below the output",
        )
        add_overrides(parser, "-o")
        parser.add_argument("-r", "--recover", action="store_true", help="go on with a run that was stopped")
        parser.add_argument("-f", "--force", action="store_true", help="replace the directory if it exists")
        parser.add_argument("--dry-run", action="store_true", help="make the directory, do not train")
        add_file_friendly_logging(parser)
        parser.add_argument("-v", "--verbose", action="store_true", help="show the whole log")
