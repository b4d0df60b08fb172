"""Faults of a training config that AllenNLP would report late, with a stack trace, or not at all."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from allennlp.common import Params
from allennlp.models.archival import CONFIG_NAME

from roseq_allennlp.data.downloads import fetch_vectors
from roseq_allennlp.data.vectors import readable
from roseq_allennlp.models.finetuning import begin, check_is_new
from roseq_allennlp.models.finetuning_request import FineTuning, requested
from roseq_allennlp.training.config_check import check_config
from roseq_allennlp.training.continued_run import continue_run
from roseq_allennlp.training.overrides import read_config
from roseq_allennlp.training.run_directory import check_run


def check_training(args: argparse.Namespace, trains: bool = True) -> None:
    """
    Finds faults that AllenNLP would report late, with a stack trace, or not at all. Vectors that it would read wrong are
    replaced by copies in `args.overrides`. Without `trains` the GPUs need not be there.
    """
    written, config = read_config(args.param_path, args.overrides)
    if config.get("type") == "finetune":
        go_on_with(requested(config), Path(args.serialization_dir), args)
        written, config = read_config(args.param_path, args.overrides)
    check_is_new(config)
    if getattr(args, "recover", False):
        check_run(args.serialization_dir, config.get("distributed"))
    check_config(written, config, str(args.param_path), trains=trains)
    flat = Params(config).as_flat_dict()
    widths = {}  # of the vectors of each file, where the config says it
    for key, file in flat.items():
        if key.endswith("pretrained_file") and file:
            dimension = flat.get(f"{key.removesuffix('pretrained_file')}embedding_dim")
            widths[str(file)] = dimension if isinstance(dimension, int) else None
            fetch_vectors(str(file), widths[str(file)])
    files = {str(file) for key, file in flat.items() if re.search(r"pretrained_file$|pretrained_files\.", key) and file}
    args.vector_copies = {file: copy for file in files if (copy := readable(file, widths.get(file))) != file}
    if args.vector_copies:
        args.overrides = _replaced(config, args.vector_copies)
    if getattr(args, "recover", False):
        continue_run(args.serialization_dir, read_config(args.param_path, args.overrides)[1])


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
