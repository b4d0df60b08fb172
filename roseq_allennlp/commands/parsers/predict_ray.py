import argparse

from roseq_allennlp.commands.command import Command, add_min_probability


class PredictRayCommand(Command):
    """`predict-ray INPUT OUTPUT --archive ARCHIVE`: tags files of any size on a Ray cluster."""

    description = (
        "Tag text, JSON lines or Parquet by a pool of actors on a Ray cluster, or on all processors of this machine. Each"
        " row keeps its fields; a row that cannot be tagged gets an `error`."
    )
    example = "roseq predict-ray 'texts/*.jsonl' tagged --archive model.tar.gz"
    opens_archives = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "input", metavar="INPUT", help="a file, a directory or a quoted pattern: .txt, .jsonl, .parquet"
        )
        parser.add_argument("output", metavar="OUTPUT", help="the directory to write; it must not exist")
        parser.add_argument(
            "--archive", required=True, metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run"
        )
        parser.add_argument("--output-format", choices=("jsonl", "parquet"), default="jsonl", help="what OUTPUT holds")
        add_min_probability(parser)
        parser.add_argument(
            "--actors",
            type=int,
            metavar="N",
            help="number of actors; as many as the cluster has processors if left out",
        )
        parser.add_argument("--batch-size", type=int, default=2048, metavar="N", help="rows an actor gets at a time")
        parser.add_argument(
            "--gpus-per-actor", type=float, default=0.0, metavar="X", help="0 for the CPU; may be a fraction"
        )
        parser.add_argument(
            "--address", metavar="ADDRESS", help="address of a running cluster, or auto; this machine if left out"
        )
