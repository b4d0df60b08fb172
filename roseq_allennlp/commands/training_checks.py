"""Faults of a training config that AllenNLP would report late, with a stack trace, or not at all."""

import argparse
import difflib
import inspect
import json
import re
from pathlib import Path
from typing import Any

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import CONFIG_NAME
from allennlp.training import GradientDescentTrainer

from roseq_allennlp.data.downloads import fetch_vectors
from roseq_allennlp.data.vectors import readable
from roseq_allennlp.models.finetuning import begin, check_is_new
from roseq_allennlp.models.finetuning_request import FineTuning, requested
from roseq_allennlp.training.run_directory import check_run, continue_run


def check_training(args: argparse.Namespace) -> None:
    """
    Finds faults that AllenNLP would report late, with a stack trace, or not at all. Vectors that it would read wrong are
    replaced by copies in `args.overrides`.
    """
    config = Params.from_file(args.param_path, args.overrides)
    if config.get("type") == "finetune":
        go_on_with(requested(config.as_dict(quiet=True)), Path(args.serialization_dir), args)
        config = Params.from_file(args.param_path, args.overrides)
    check_is_new(config.as_dict(quiet=True))
    if args.recover:
        check_run(args.serialization_dir, config.get("distributed"))
    check_trainer(config.get("trainer", Params({})))
    flat = config.as_flat_dict()
    for key, file in flat.items():
        if key.endswith("pretrained_file") and file:
            dimension = flat.get(f"{key.removesuffix('pretrained_file')}embedding_dim")
            fetch_vectors(str(file), dimension if isinstance(dimension, int) else None)
    files = {str(file) for key, file in flat.items() if re.search(r"pretrained_file$|pretrained_files\.", key) and file}
    args.vector_copies = {file: copy for file in files if (copy := readable(file)) != file}
    if args.vector_copies:
        args.overrides = _replaced(config.as_dict(quiet=True), args.vector_copies)
    if args.recover:
        continue_run(args.serialization_dir, Params.from_file(args.param_path, args.overrides).as_dict(quiet=True))


def go_on_with(request: FineTuning, directory: Path, args: argparse.Namespace) -> None:
    """Makes the directory of a run of fine-tuning, and has the run go on that has not begun."""
    args.overrides = json.dumps(begin(request, directory, args.recover, args.force))
    args.param_path = str(directory / CONFIG_NAME)
    args.recover, args.force = True, False


def _replaced(config: Any, names: dict[str, str]) -> Any:
    """A config with other names for some files."""
    if isinstance(config, dict):
        return {key: _replaced(value, names) for key, value in config.items()}
    if isinstance(config, list):
        return [_replaced(value, names) for value in config]
    return names.get(config, config) if isinstance(config, str) else config


def check_trainer(trainer: Params) -> None:
    """AllenNLP's trainer takes any key and ignores what it does not know."""
    known = inspect.signature(GradientDescentTrainer.from_partial_objects).parameters.keys()
    unknown = sorted(trainer.keys() - known - {"type"})
    if unknown and trainer.get("type", "gradient_descent") == "gradient_descent":
        close = [match for key in unknown for match in difflib.get_close_matches(key, known)]
        raise ConfigurationError(f"the trainer has no {unknown}; did you mean one of {close or sorted(known)}?")
