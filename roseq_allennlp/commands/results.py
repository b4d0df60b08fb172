import argparse
from pathlib import Path

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.command import Command
from roseq_allennlp.commands.console import Console
from roseq_allennlp.evaluation.results import read_results
from roseq_allennlp.evaluation.results_page import build
from roseq_allennlp.files import replacing


@Subcommand.register("results")
class ResultsCommand(Command):
    """`results FILE …`: the tables of a page from the results of runs."""

    description = (
        "Make the tables of a page of results anew from the lines of JSON that `ablation --results` keeps, so that a new"
        " run extends it."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a result on each line")
        parser.add_argument(
            "-o", "--output", default="docs/results.md", metavar="PAGE", help="with parts to fill, docs/results.md"
        )

    def run(self, args: argparse.Namespace, console: Console) -> int:
        runs, page = read_results(args.files), Path(args.output)
        try:
            text = page.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{page}: cannot be read. {error}") from error
        with replacing(page) as temporary:
            temporary.write_text(build(text, runs), encoding="utf-8")
        console.print(f"{page} has the results of {len(runs)} runs")
        return 0
