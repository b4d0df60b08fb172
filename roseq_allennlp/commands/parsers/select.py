import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device
from roseq_allennlp.data.format_names import FORMAT_NAMES, INPUT_FORMATS

TASK_FORMATS = tuple(name for name in FORMAT_NAMES if name != "brat")  # which is a directory
MEASURES = ("entropy", "margin", "disagreement")


class SelectCommand(Command):
    """`select ARCHIVE POOL …`: chooses the sentences to label next."""

    description = (
        "Choose the sentences of a pool that an archive's tagger is least sure of, to label next. They are written best first,"
        " with the tagger's entities to correct; no two are nearly the same. The pool is read as `predict` reads it; labels"
        " that it has are not looked at."
    )
    example = "roseq select runs/wnut17 pool.txt --balance rare -o tasks.jsonl"
    opens_archives = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument(
            "pool", nargs="+", metavar="POOL", help="files of text, JSON lines or columns; - is standard input"
        )
        parser.add_argument("-n", "--number", type=int, default=200, metavar="N", help="of sentences to choose")
        parser.add_argument(
            "--by",
            choices=MEASURES,
            default="entropy",
            help="what says how unsure the tagger is: the entropy of all tag sequences, the margin between the best two,"
            " or the disagreement of an ensemble",
        )
        parser.add_argument(
            "--balance", choices=("rare",), help="favour sentences with types that have few labels in the training data"
        )
        parser.add_argument(
            "--train",
            metavar="DATA",
            help="whose labels --balance counts, where the archive does not know their numbers",
        )
        parser.add_argument("-o", "--output", required=True, metavar="FILE", help="to write")
        parser.add_argument(
            "--output-format",
            choices=TASK_FORMATS,
            metavar="FORMAT",
            help=f"{', '.join(TASK_FORMATS)}; by default as the name of FILE says, doccano for .jsonl",
        )
        parser.add_argument(
            "--input-format", choices=INPUT_FORMATS, metavar="FORMAT", help=f"{', '.join(INPUT_FORMATS)}"
        )
        add_cuda_device(parser)
