import argparse

from roseq_allennlp.commands.command import Command
from roseq_allennlp.data.format_names import INPUT_FORMATS


class VectorsCommand(Command):
    """`vectors ENCODER TEXT… -o FILE`: writes word vectors by a pretrained encoder; with `--text`, learned from the text."""

    description = (
        "Write word vectors of all words of a text for `vectors.fixed`. A pretrained encoder gives them, each word read alone;"
        " with --text they are learned from the text itself, by fastText, and no ENCODER is given. TEXT is what `roseq predict`"
        " reads: plain text, JSON lines or columns."
    )
    example = (
        "roseq vectors bert-base-cased train.conll -o words.txt.gz\nroseq vectors --text texts.txt -o words.txt.gz"
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "inputs",
            nargs="+",
            metavar="ENCODER TEXT",
            help="a directory or a name on the Hugging Face Hub, then files; with --text, files alone",
        )
        parser.add_argument("-o", "--output", required=True, metavar="FILE", help="compressed if it ends in .gz")
        parser.add_argument("--text", action="store_true", help="learn them from the text, which needs gensim")
        parser.add_argument("--dim", type=int, default=100, metavar="N", help="dimensions ")
        parser.add_argument("--language", default="xx", help="spaCy's code, for the tokeniser (default: xx, any)")
        parser.add_argument(
            "--input-format", choices=INPUT_FORMATS, metavar="FORMAT", help=f"one of {', '.join(INPUT_FORMATS)}"
        )
        parser.add_argument("--epochs", type=int, default=10, metavar="N", help="with --text: passes over it ")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="with --text ")
