import argparse

from roseq_allennlp.console import Console
from roseq_allennlp.models.archive import with_safetensors


def run(args: argparse.Namespace, console: Console) -> int:
    """Copies an archive, or the directory of a run, with its weights in safetensors."""
    with_safetensors(args.archive, args.output)
    console.print(f"Written: {args.output}")
    return 0
