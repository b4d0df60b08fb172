"""`python -m roseq_allennlp`, and the console script `roseq`: AllenNLP's own commands and those of this package."""

import argparse
import contextlib
import difflib
import errno
import inspect
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from allennlp.commands import parse_args
from allennlp.commands.predict import Predict
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived, install_sigterm_handler
from allennlp.training import GradientDescentTrainer

import roseq_allennlp  # noqa: F401  registers the components and commands
from roseq_allennlp import plugins
from roseq_allennlp.commands.explanations import explain, explain_mismatch
from roseq_allennlp.commands.predict import PredictCommand
from roseq_allennlp.data.downloads import fetch_vectors
from roseq_allennlp.data.vectors import readable
from roseq_allennlp.files import FULL
from roseq_allennlp.models import archive
from roseq_allennlp.text import show_logs, shown, shown_lines
from roseq_allennlp.training.run_directory import check_run
from roseq_allennlp.version import VERSION

# The names in AllenNLP's commands for which this package has a safer function, and where.
_SAFER: dict[tuple[str, str], Any] = {
    ("allennlp.commands", "import_plugins"): plugins,
    ("allennlp.commands.train", "archive_model"): archive,
    ("allennlp.commands.train", "_train_worker"): plugins,
    ("allennlp.commands.evaluate", "load_archive"): archive,
}


def main() -> None:
    """
    Runs the command of `sys.argv`. For AllenNLP's own, `--quiet` stands for `--file-friendly-logging` with nothing below
    warnings, where standard error is no terminal `--file-friendly-logging` is set, archives are written and opened by
    `roseq_allennlp.models.archive`, no plugins of the working directory are imported, and what is wrong with a config, a
    file or an archive is one line and exit status 1. A run stopped by Ctrl-C or SIGTERM has the exit status 130 or 143.
    What goes to a terminal is written by `text.shown`.
    """
    show_logs()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry; the last one is an error anyway
    if sys.argv[1:] == ["--version"]:
        print(f"roseq {VERSION}, AllenNLP {version('allennlp')}")
        return
    of_allennlp = len(sys.argv) > 1 and sys.argv[1] in ("train", "evaluate", "find-lr")
    quiet = of_allennlp and "--quiet" in sys.argv
    if quiet:
        sys.argv.remove("--quiet")
        os.environ.setdefault("ALLENNLP_LOG_LEVEL", "WARNING")
    # This variable would have torch unpickle a run's weights for --recover.
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    with safer_functions():
        _run(of_allennlp, quiet)


def _run(of_allennlp: bool, quiet: bool) -> None:
    with shown_errors():
        parser, args = parse_args(prog="roseq")
    if not hasattr(args, "func"):
        parser.print_help()
        return
    if hasattr(args, "file_friendly_logging"):
        args.file_friendly_logging |= quiet or not sys.stderr.isatty()
    plugins.import_packages(getattr(args, "include_package", []))
    command, training = f"roseq {sys.argv[1]}", sys.argv[1] == "train"
    install_sigterm_handler()
    try:
        if training:
            check_training(args)
        args.func(args)
    except (KeyboardInterrupt, SigTermReceived) as error:
        advice = " Go on with --recover." if training else ""
        print(f"{command}: stopped.{advice}", file=sys.stderr)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 143)
    except (ConfigurationError, OSError) as error:
        message = (training and explain_mismatch(str(error.__cause__), args)) or str(error)
        if training and isinstance(error, OSError):
            directory = Path(args.serialization_dir)
            inside = Path(str(error.filename)).is_relative_to(directory)
            if inside and error.errno == errno.ENOENT and not directory.is_dir():
                message += f". The directory {directory} is no longer there, and its checkpoints are lost: train anew."
            elif error.errno in FULL or inside:
                message += (
                    ". The last checkpoint stands: make room, or the directory writable, and go on with --recover."
                )
        raise SystemExit(shown(f"{command}: error: {message}")) from error
    except Exception as error:
        explained = explain(error, args) if of_allennlp else None
        if explained is None:
            raise
        raise SystemExit(shown(f"{command}: error: {explained}")) from error


@contextlib.contextmanager
def shown_errors() -> Iterator[None]:
    """Writes the parser's messages, which may quote names of files, to standard error by `shown_lines`."""
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            yield
        finally:
            sys.__stderr__ is None or print(shown_lines(errors.getvalue()), end="", file=sys.__stderr__)


def check_training(args: argparse.Namespace) -> None:
    """
    Finds faults that AllenNLP would report late, with a stack trace, or not at all. Vectors that it would read wrong are
    replaced by copies in `args.overrides`.
    """
    config = Params.from_file(args.param_path, args.overrides)
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


@contextlib.contextmanager
def safer_functions() -> Iterator[None]:
    """Puts the functions of `_SAFER`, and the command `predict`, in the place of AllenNLP's."""
    before = {key: getattr(import_module(key[0]), key[1]) for key in _SAFER}
    try:
        for (module, name), source in _SAFER.items():
            setattr(import_module(module), name, getattr(source, name.lstrip("_")))
        Subcommand.register("predict", exist_ok=True)(PredictCommand)
        yield
    finally:
        Subcommand.register("predict", exist_ok=True)(Predict)
        for (module, name), function in before.items():
            setattr(import_module(module), name, function)


if __name__ == "__main__":
    main()
