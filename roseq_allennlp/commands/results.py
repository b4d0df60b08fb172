import argparse
from pathlib import Path

from roseq_allennlp.console import Console
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.experiments.results import read_results
from roseq_allennlp.experiments.results_page import build
from roseq_allennlp.files import replacing


def run(args: argparse.Namespace, console: Console) -> int:
    """Builds the tables and plots of a page from the results of runs."""
    runs, page = read_results(args.files), Path(args.output)
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{page}: cannot be read. {error}") from error
    with replacing(page) as temporary:
        temporary.write_text(build(text, runs, page.parent), encoding="utf-8")
    console.print(f"{page} has the results of {len(runs)} runs")
    return 0
