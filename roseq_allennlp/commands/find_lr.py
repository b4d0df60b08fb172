import argparse
from typing import Any

from allennlp.commands import find_learning_rate
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.allennlp_bars import bars_shown
from roseq_allennlp.commands.training_checks import check_training
from roseq_allennlp.console import Console
from roseq_allennlp.training.callbacks import LabelStatisticsCallback
from roseq_allennlp.training.overrides import read_config
from roseq_allennlp.training.run_directory import new_run
from roseq_allennlp.training.trainer_access import TrainerAccess

_search = find_learning_rate.search_learning_rate


def run(args: argparse.Namespace, console: Console) -> int:
    """Searches as `allennlp find-lr` does, after `check_training`, with ζ counted as in training."""
    if args.num_batches <= 10:
        raise ConfigurationError(f"--num-batches must be more than 10; got {args.num_batches}.")
    if not 0 < args.start_lr < args.end_lr:
        raise ConfigurationError(
            f"--start-lr must be above 0, and --end-lr above it; got {args.start_lr:g} and {args.end_lr:g}."
        )
    if read_config(args.param_path, args.overrides)[1].get("distributed"):
        raise ConfigurationError(
            "find-lr runs in one process: leave `distributed` out of the config, or set it to null."
        )
    check_training(args)
    before = find_learning_rate.search_learning_rate
    find_learning_rate.search_learning_rate = search_learning_rate  # type: ignore[assignment]
    try:
        with new_run(args), bars_shown(console, "find-lr"):
            find_learning_rate.find_learning_rate_from_args(args)
    finally:
        find_learning_rate.search_learning_rate = before
    console.print(f"The plot is {args.serialization_dir}/lr-losses.png")
    return 0


def search_learning_rate(trainer: Any, **options: Any) -> Any:
    """AllenNLP's function of that name, before which no callback starts: without counts the model has no ζ."""
    for callback in TrainerAccess(trainer).callbacks:
        if isinstance(callback, LabelStatisticsCallback):
            callback.on_start(trainer)
    return _search(trainer, **options)
