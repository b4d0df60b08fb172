import argparse
from pathlib import Path

from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides

from roseq_allennlp.commands import train
from roseq_allennlp.commands.training_checks import go_on_with
from roseq_allennlp.console import Console
from roseq_allennlp.models.finetuning import made
from roseq_allennlp.models.finetuning_request import FineTuning


def run(args: argparse.Namespace, console: Console) -> int:
    """Makes the directory of a run from an archive and new data, and trains as `roseq train` does."""
    try:
        overrides = parse_overrides(args.overrides)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"--overrides: {' '.join(str(error).split())}. Give JSON with dotted keys.") from error
    request = FineTuning(
        args.archive,
        args.train,
        args.dev,
        args.types.split(",") if args.types is not None else None,
        dict(map(_share, args.replay)),
        args.vectors,
        args.layer_decay,
        overrides,
        args.unmarked,
    )
    directory, begins = Path(args.serialization_dir), not args.recover
    go_on_with(request, directory, args)
    if begins:
        console.say(f"Fine-tuning: {made(directory)}")
    args.node_rank = 0
    return train.run(args, console)


def _share(text: str) -> tuple[str, float]:
    path, _, share = text.rpartition("=")
    try:
        return path, float(share)
    except ValueError as error:
        raise ConfigurationError(
            f"--replay: {text!r} has no share at its end. Give a file and one, such as old.conll=0.3."
        ) from error
