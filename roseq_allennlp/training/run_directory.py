"""What a run that goes on reads from its directory before its checkpoint."""

import json
import os
from typing import Any

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.archival import CONFIG_NAME


def check_run(directory: str, distributed: Any) -> None:
    """
    # Parameters

    directory : `str`
        Directory of the run that is to go on.
    distributed : `Any`
        The config's key of that name: its processes read the vocabulary there, where one process makes it anew.

    # Raises

    `ConfigurationError`: the config or the vocabulary there is damaged.
    """
    way_out = (
        "Put a copy of it back, such as the one that the same config with --dry-run writes into another directory, and go on"
        " with --recover; or train anew with --force."
    )
    file = os.path.join(directory, CONFIG_NAME)
    if os.path.exists(file):
        try:
            with open(file, encoding="utf-8") as stream:
                if not isinstance(json.load(stream), dict):
                    raise ValueError("it is no object with keys")
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"{file} is damaged: {error}. {way_out}") from error
    folder = os.path.join(directory, "vocabulary")
    if distributed and os.path.exists(file):
        try:
            Vocabulary.from_files(folder)
        except Exception as error:  # whatever the lines of damaged files lead to
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigurationError(f"{folder} is damaged: {reason}. {way_out}") from error
