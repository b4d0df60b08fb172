"""`python -m roseq_allennlp`, and the console script `roseq`: AllenNLP's own commands and those of this package."""

import os
import sys
from importlib.metadata import version

from allennlp.commands import parse_args
from allennlp.common.util import import_module_and_submodules

import roseq_allennlp  # noqa: F401  registers the components and commands


def main() -> None:
    """
    Runs the command of `sys.argv`. For AllenNLP's own, `--quiet` stands for `--file-friendly-logging` with nothing below
    warnings, and where standard error is no terminal `--file-friendly-logging` is set.
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
    args.func(args)


if __name__ == "__main__":
    main()
