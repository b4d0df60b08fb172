import argparse
import json
from pathlib import Path

from allennlp.commands import evaluate

from roseq_allennlp.commands.allennlp_bars import bars_shown
from roseq_allennlp.commands.evaluation_checks import check_evaluation
from roseq_allennlp.console import Console
from roseq_allennlp.training.callbacks.score_table import show_scores


def run(args: argparse.Namespace, console: Console) -> int:
    """Evaluates as `allennlp evaluate` does, and shows the scores of each file."""
    names = _split(args.input_file)
    check_evaluation(args, len(names))
    with bars_shown(console, "scoring"):
        metrics = evaluate.evaluate_from_args(args)
    for number, name in enumerate(names):
        stem = Path(name).stem if isinstance(name, str) else str(number)
        show_scores(metrics, f"Scores on {name}", console, f"{stem}_" if len(names) > 1 else "")
    return 0


def _split(files: str) -> list[object]:
    """As AllenNLP does."""
    try:
        return list(json.loads(f"[{files}]"))
    except json.JSONDecodeError:
        return list(files.split(","))
