"""`python -m roseq_allennlp`, and the console script `roseq`: AllenNLP's own commands and those of this package."""

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version

from allennlp.commands import parse_args
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived, import_module_and_submodules, install_sigterm_handler

import roseq_allennlp  # noqa: F401  registers the components and commands
from roseq_allennlp.models import archive

# The names in AllenNLP's commands for which this package has a safer function.
_ARCHIVES = {
    "allennlp.commands.train": "archive_model",
    "allennlp.commands.evaluate": "load_archive",
    "allennlp.commands.predict": "load_archive",
}


def main() -> None:
    """
    Runs the command of `sys.argv`. For AllenNLP's own, `--quiet` stands for `--file-friendly-logging` with nothing below
    warnings, where standard error is no terminal `--file-friendly-logging` is set, archives are written and opened by
    `roseq_allennlp.models.archive`, and what is wrong with a config, a file or an archive is one line and exit status 1.
    A run stopped by Ctrl-C or SIGTERM has the exit status 130 or 143.
    """
    if sys.argv[1:] == ["--version"]:
        print(f"roseq {version('roseq-allennlp')}, AllenNLP {version('allennlp')}")
        return
    own = sys.argv[1:2] and sys.argv[1] in ("train", "evaluate", "predict", "find-lr")
    quiet = bool(own) and "--quiet" in sys.argv
    if quiet:
        sys.argv.remove("--quiet")
        os.environ.setdefault("ALLENNLP_LOG_LEVEL", "WARNING")
    parser, args = parse_args(prog="roseq")
    if not hasattr(args, "func"):
        parser.print_help()
        return
    if hasattr(args, "file_friendly_logging"):
        args.file_friendly_logging |= quiet or not sys.stderr.isatty()
    for name in getattr(args, "include_package", []):
        import_module_and_submodules(name)
    command = f"roseq {sys.argv[1]}"
    install_sigterm_handler()
    try:
        with own_archives():
            args.func(args)
    except (ConfigurationError, OSError) as error:
        raise SystemExit(f"{command}: error: {error}") from error
    except (KeyboardInterrupt, SigTermReceived) as error:
        advice = " Go on with --recover." if sys.argv[1] == "train" else ""
        print(f"{command}: stopped.{advice}", file=sys.stderr)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 143)


@contextlib.contextmanager
def own_archives() -> Iterator[None]:
    before = {module: getattr(import_module(module), name) for module, name in _ARCHIVES.items()}
    try:
        for module, name in _ARCHIVES.items():
            setattr(import_module(module), name, getattr(archive, name))
        yield
    finally:
        for module, function in before.items():
            setattr(import_module(module), _ARCHIVES[module], function)


if __name__ == "__main__":
    main()
