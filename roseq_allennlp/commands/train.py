import argparse
import errno
from pathlib import Path

from allennlp.commands import train
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.explanations import explain_mismatch
from roseq_allennlp.commands.training_checks import check_training
from roseq_allennlp.console import Console
from roseq_allennlp.files import FULL


def run(args: argparse.Namespace, console: Console) -> int:
    """Trains as `allennlp train` does, after `check_training`; what a run leaves behind is told where it fails."""
    try:
        check_training(args)
        train.train_model_from_args(args)
    except ConfigurationError as error:
        raise ConfigurationError(explain_mismatch(str(error.__cause__), args) or error.message) from error
    except OSError as error:
        raise ConfigurationError(_message(error, args)) from error
    return 0


def _message(error: OSError, args: argparse.Namespace) -> str:
    message = explain_mismatch(str(error.__cause__), args) or str(error)
    directory = Path(args.serialization_dir)
    inside = Path(str(error.filename)).is_relative_to(directory)
    if inside and error.errno == errno.ENOENT and not directory.is_dir():
        return f"{message}. The directory {directory} is no longer there, and its checkpoints are lost: train anew."
    if error.errno in FULL or inside:
        return f"{message}. The last checkpoint stands: make room, or the directory writable, and go on with --recover."
    return message
