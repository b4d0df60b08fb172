import argparse

from roseq_allennlp.commands.command import Command
from roseq_allennlp.data.format_names import FORMAT_NAMES, MISALIGNED


class ConvertCommand(Command):
    """`convert IN OUT`: writes labelled data in another format, or divides it into splits."""

    description = (
        "Convert labelled data from one format to another. The formats are those of doccano, Prodigy, Label Studio, BRAT,"
        " spaCy and Hugging Face datasets, CoNLL-U, and columns; that of IN is recognised, that of OUT is told by its name"
        " or by --to."
    )
    example = "roseq convert labelled.jsonl data.conll --split 80,10,10"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "input", metavar="IN", help="a file, a directory (BRAT, save_to_disk), or corpus://NAME/SPLIT"
        )
        parser.add_argument("output", metavar="OUT", help="a file, a new directory (BRAT), or - for standard output")
        formats = ", ".join(FORMAT_NAMES)
        parser.add_argument(
            "--from", dest="source", choices=FORMAT_NAMES, metavar="FORMAT", help=f"the format of IN: {formats}"
        )
        parser.add_argument(
            "--to", dest="target", choices=FORMAT_NAMES, metavar="FORMAT", help="the format of OUT, one of the same"
        )
        parser.add_argument(
            "--language", default="xx", metavar="CODE", help="by whose rules spaCy splits text into tokens"
        )
        parser.add_argument(
            "--misaligned", choices=MISALIGNED, default="expand", help="what becomes of a span that cuts a token"
        )
        parser.add_argument(
            "--tokenized",
            action="store_true",
            help="the texts of IN are tokens with spaces between them, a line a sentence",
        )
        parser.add_argument(
            "--annotator", metavar="WHO", help="Label Studio: whose annotations, by id or e-mail address"
        )
        parser.add_argument("--labels", metavar="O,B-A,I-A", help="Hugging Face: the tags that integers stand for")
        parser.add_argument(
            "--offsets", choices=("code_points", "utf16"), default="code_points", help="what the offsets of IN count"
        )
        parser.add_argument(
            "--assume-unmarked",
            choices=("O", "unknown"),
            default="O",
            help="what text is in which IN marks no entity: O, or unknown, where there may be one",
        )
        parser.add_argument(
            "--columns", metavar="JSON", help='parameters of the reader `columns`, such as {"comment_prefix": "#"}'
        )
        parser.add_argument(
            "--split",
            metavar="80,10,10",
            help="write OUT.train, OUT.dev and OUT.test, of these percents of the documents",
        )
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the division into splits")
