"""`python -m roseq_allennlp`, and the console script `roseq`: AllenNLP's own commands and those of this package."""

import logging
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from types import FrameType
from typing import NoReturn, Optional

from roseq_allennlp.commands.parser import Parser, did_you_mean
from roseq_allennlp.commands.table import COMMANDS, IN_PLACE, OF_ALLENNLP, OWN, command
from roseq_allennlp.errors import Terminated
from roseq_allennlp.plugin_files import plugins_are_there
from roseq_allennlp.text import show_logs, shown
from roseq_allennlp.version import VERSION

_WITH_ALLENNLP = "roseq_allennlp.commands.with_allennlp"


def main() -> None:
    """
    Runs the command of `sys.argv`. AllenNLP is imported for the commands that need it, and not for help or for what is
    wrong with the command line; no plugins of the working directory are imported; what is wrong with a config, a file or
    an archive is one line and exit status 1. A run stopped by Ctrl-C or SIGTERM has the exit status 130 or 143. What goes
    to a terminal is written by `text.shown`.
    """
    show_logs()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry; the last one is an error anyway
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"roseq {VERSION}, AllenNLP {version('allennlp')}")
    elif not arguments or arguments[0] in ("-h", "--help"):
        _program().print_help()
    else:
        _run(arguments[0], arguments[1:])


def _program() -> Parser:
    parser = Parser(
        prog="roseq",
        usage="roseq COMMAND …",
        description="Train and use RoSeq, a tagger of named entities. `roseq COMMAND --help` explains a command.",
        epilog="example: roseq predict model.tar.gz sentences.txt",
    )
    parser.add_argument("--version", action="store_true", help="show the versions of roseq and AllenNLP")
    commands = parser.add_subparsers(title="commands", metavar="", prog="roseq")
    for name in (*sorted({**OWN, **IN_PLACE}), *OF_ALLENNLP, *_of_plugins()):
        commands.add_parser(name, help=command(name).summary if name in COMMANDS else "Of a plugin.")
    return parser


def _of_plugins() -> list[str]:
    """Commands that AllenNLP's own plugins, or those of the user's home, have registered; they are imported for it."""
    if not plugins_are_there():
        return []
    import_module("roseq_allennlp.registration")
    return [name for name in import_module(_WITH_ALLENNLP).registered_commands() if name not in COMMANDS]


def _run(name: str, arguments: list[str]) -> None:
    if name not in COMMANDS and (name.startswith("-") or name not in _of_plugins()):
        Parser(prog="roseq").error(f"there is no command {name}{did_you_mean(name, [*COMMANDS])}")
    chosen = command(name) if name in COMMANDS else import_module(_WITH_ALLENNLP).CommandOfPlugin(name)
    args = chosen.parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if chosen.needs_allennlp:
            import_module("roseq_allennlp.registration")
            import_module(_WITH_ALLENNLP).call(chosen, args)
        else:
            chosen.call(args)
    except (KeyboardInterrupt, Terminated) as error:
        print(f"roseq {name}: stopped.{chosen.advice}", file=sys.stderr)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 143)
    except OSError as error:
        raise SystemExit(shown(f"roseq {name}: error: {error}")) from error


def _terminate(signal_number: int, frame: Optional[FrameType]) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    main()
