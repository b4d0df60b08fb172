"""Faults of `evaluate`'s command line that AllenNLP would report late, with a stack trace, or not at all."""

import argparse
import json

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.training.devices import check_device
from roseq_allennlp.training.overrides import parsed


def check_evaluation(args: argparse.Namespace, number: int) -> None:
    """
    Also makes the directories of the files that are to be written.

    # Parameters

    args : `argparse.Namespace`
    number : `int`
        How many files of data are named.

    # Raises

    `ConfigurationError`, before the archive is opened.
    """
    check_device(args.cuda_device, "--cuda-device")
    parsed(args.overrides)
    if args.batch_size is not None and args.batch_size < 1:
        raise ConfigurationError(f"--batch-size must be at least 1, got {args.batch_size}.")
    try:
        if not isinstance(json.loads(args.embedding_sources_mapping or "{}"), dict):
            raise ValueError("an object is needed")
    except ValueError as error:
        mapping = args.embedding_sources_mapping
        raise ConfigurationError(f"--embedding-sources-mapping {mapping}: no JSON object ({error}).") from error
    for option, value in (
        ("--output-file", args.output_file),
        ("--predictions-output-file", args.predictions_output_file),
    ):
        outputs = value.split(",") if value else []
        if outputs and len(outputs) != number and args.auto_names == "NONE":
            raise ConfigurationError(f"{option} names {len(outputs)} files for {number} of DATA. Give one for each.")
        for output in outputs:
            prepared(output)
