import argparse

from roseq_allennlp.console import Console
from roseq_allennlp.models.archive import description_of


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints what an archive says of itself, a line for each fact."""
    lines = description_of(args.archive).lines()
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        console.print(f"{name:{width}}  {value}")
    return 0
