import argparse

from roseq_allennlp.commands.command import Command


class InitCommand(Command):
    """`init DIR --data FILE …`: writes a config for labelled data of one's own."""

    description = (
        "Write a config for your own labelled data, and say what it has chosen and why. FILE is in columns, or what doccano,"
        " Prodigy, Label Studio, BRAT, spaCy or Hugging Face's datasets write; the names tell which file is for training,"
        " development (dev) and the test, and one file alone is divided. Without --data, DIR gets tweets to try things with."
    )
    example = "roseq init mine --data train.conll dev.conll test.conll\nroseq init demo"
    needs_allennlp = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", help="a new directory")
        parser.add_argument(
            "--data", nargs="+", metavar="FILE", help="one to three files, directories or corpus://NAME/SPLIT"
        )
        words = parser.add_mutually_exclusive_group()
        words.add_argument(
            "--vectors",
            metavar="FILE",
            help="word vectors in text, or a name of the catalogue, in place of learned ones",
        )
        words.add_argument(
            "--encoder", metavar="NAME", help="an encoder of the Hugging Face hub or in a folder, not trained"
        )
        parser.add_argument("--language", metavar="CODE", help="spaCy's code, such as en, if it is not recognised")
        parser.add_argument("--labels", metavar="O,B-A,I-A", help="Hugging Face: the tags that integers stand for")
