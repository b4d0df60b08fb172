import argparse
from pathlib import Path

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.command import Command
from roseq_allennlp.console import Console
from roseq_allennlp.experiments.results import read_results
from roseq_allennlp.experiments.results_page import build
from roseq_allennlp.files import replacing


@Subcommand.register("results")
class ResultsCommand(Command):
    """`results FILE …`: builds the tables of a page from the results of runs."""

    description = (
        "Rebuild the tables of a page of results from the lines of JSON that `ablation --results` keeps, so that a new run"
        " extends the page."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="results, one on each line")
        parser.add_argument(
            "-o",
            "--output",
            default="docs/results.md",
            metavar="PAGE",
            help="the page to fill; docs/results.md if left out",
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
