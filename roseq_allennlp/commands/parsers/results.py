import argparse

from roseq_allennlp.commands.command import Command


class ResultsCommand(Command):
    """`results FILE …`: builds the tables and plots of a page from the results of runs."""

    description = (
        "Rebuild the tables and plots of a page of results from the lines of JSON that `ablation --results` keeps, so that a new"
        " run extends the page."
    )
    example = "roseq results results/ablation.jsonl -o docs/results.md"
    needs_allennlp = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="results, one on each line")
        parser.add_argument(
            "-o",
            "--output",
            default="docs/results.md",
            metavar="PAGE",
            help="the page to fill; docs/results.md if left out",
        )
