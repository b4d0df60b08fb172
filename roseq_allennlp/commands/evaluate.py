import argparse

from allennlp.commands import evaluate

from roseq_allennlp.console import Console


def run(args: argparse.Namespace, console: Console) -> int:
    """Evaluates as `allennlp evaluate` does."""
    evaluate.evaluate_from_args(args)
    return 0
