import argparse

from roseq_allennlp.commands.command import Command, add_cuda_device, add_min_probability
from roseq_allennlp.data.format_names import INPUT_FORMATS, OUTPUT_FORMATS


class PredictCommand(Command):
    """`predict ARCHIVE [INPUT …]`: tags files of any kind. In place of AllenNLP's for `roseq`, not for `allennlp`."""

    description = (
        "Tag JSON lines, plain text or columns, also compressed by gzip, and write JSON lines: each row with its other keys,"
        " or with an `error`. The status is 1 if no row could be tagged. What a file holds is seen by its extension (.jsonl,"
        " .ndjson, .json; .conll, .conllu, .iob, .iob2, .bio, .bioes), or else by its first lines."
    )
    example = (
        "roseq predict runs/wnut17 sentences.txt -o tagged.jsonl\n"
        "echo 'Anna lives in Bonn' | roseq predict model.tar.gz"
    )
    opens_archives = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("input", nargs="*", metavar="INPUT", help="files; standard input if left out or -")
        parser.add_argument(
            *("-o", "--output-file"),
            action="append",
            metavar="FILE",
            help="to write, in place of standard output; what begins with { is for --overrides",
        )
        parser.add_argument(
            "--output-format",
            choices=OUTPUT_FORMATS,
            default="jsonl",
            metavar="FORMAT",
            help=f"{', '.join(OUTPUT_FORMATS)}; brat is a directory, spacy a binary file",
        )
        parser.add_argument(
            "--input-format",
            choices=INPUT_FORMATS,
            metavar="FORMAT",
            help=f"{', '.join(INPUT_FORMATS)}: what the files hold; text is a sentence a line",
        )
        parser.add_argument("--documents", action="store_true", help="each file is one text, of many sentences")
        add_min_probability(parser)
        parser.add_argument("--batch-size", type=int, default=2048, metavar="N", help="rows read at a time, at most")
        add_cuda_device(parser)
        parser.add_argument("--silent", action="store_true", help="write the file of -o alone, as without it")
        parser.add_argument("--weights-file", metavar="FILE", help="in place of the archive's weights")
        parser.add_argument(
            "--overrides", default="", metavar="JSON", help="changes of the archive's config, by dotted keys"
        )
        parser.add_argument("--predictor", metavar="NAME", help="in place of ner_tagger; one that inherits from it")
        parser.add_argument(
            "--predictor-args",
            default="",
            metavar="JSON",
            help="""such as '{"processes": 2}' or '{"language": "nl"}'""",
        )
        parser.add_argument(
            "--use-dataset-reader", action="store_true", help="read files as the archive's training data"
        )
        parser.add_argument(
            "--dataset-reader-choice",
            choices=("train", "validation"),
            default="validation",
            help="which of the archive's two readers, where they differ",
        )
        parser.add_argument("--file-friendly-logging", action="store_true", help="as --quiet")
