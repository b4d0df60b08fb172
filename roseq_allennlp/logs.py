"""What is logged: what concerns the user is a line on the console, and all of it is in a run's directory."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from logging.handlers import MemoryHandler
from typing import Optional

from roseq_allennlp.console import Console

PACKAGE = __name__.partition(".")[0]
_MOST_EARLY_LINES = 100_000


class _UserHandler(logging.Handler):
    """
    Shows errors of anyone, and warnings of this package: those of libraries are not for the user to mend. With `verbose`, all
    that is logged.
    """

    def __init__(self, console: Console, program: str, verbose: bool) -> None:
        super().__init__()
        self._console, self._program, self._verbose = console, program, verbose

    def filter(self, record: logging.LogRecord) -> bool:
        is_ours = record.name.partition(".")[0] == PACKAGE
        return self._verbose or record.levelno >= logging.ERROR or record.levelno == logging.WARNING and is_ours

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        if self._verbose:
            lines = f"{level} {record.name}: {record.getMessage()}".split("\n")
        else:
            lines = [f"{self._program}: {level}: {' '.join(record.getMessage().split())}"]
        if record.exc_info and record.exc_info[0] is not None:
            lines += logging.Formatter().formatException(record.exc_info).split("\n")
        for line in lines:
            self._console.say(line, "yellow" if record.levelno == logging.WARNING else "", not self._verbose)


@contextlib.contextmanager
def user_logs(console: Optional[Console], program: str, verbose: bool = False, is_run: bool = False) -> Iterator[None]:
    """
    Within it, logs and warnings are shown as `_UserHandler` says. Afterwards they go where they went.

    # Parameters

    console : `Console`, optional
        Nothing is shown without one.
    program : `str`
        What a line begins with: `roseq train: warning: …`.
    verbose : `bool`, optional (default = `False`)
    is_run : `bool`, optional (default = `False`)
        Whether there will be a directory with a log, to which `log_to` then writes what was logged before.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [] if console is None else [_UserHandler(console, program, verbose)]
    if is_run:
        root.addHandler(MemoryHandler(_MOST_EARLY_LINES, flushLevel=logging.CRITICAL + 1, flushOnClose=False))
    root.setLevel(logging.INFO if verbose or is_run else logging.WARNING)
    logging.captureWarnings(True)
    _take_over_libraries()
    try:
        yield
    except BaseException as error:
        _log_to_file(error.__cause__ if isinstance(error, SystemExit) else error)
        raise
    finally:
        logging.captureWarnings(False)
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)


def log_to(file: logging.FileHandler) -> None:
    """From here on all is logged to a file too, after what was logged until now."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, MemoryHandler):
            handler.setTarget(file)
            handler.flush()
            root.removeHandler(handler)
    root.addHandler(file)
    _take_over_libraries()


def _log_to_file(error: Optional[BaseException]) -> None:
    """Why a run ended, with the stack trace, of which the user sees the message alone."""
    if error is None:
        return
    exception = (type(error), error, error.__traceback__)
    record = logging.getLogger(PACKAGE).makeRecord(PACKAGE, logging.ERROR, "", 0, "The run ended.", (), exception)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)


def _take_over_libraries() -> None:
    """Has libraries that write to a terminal by handlers of their own log as others do."""
    root = logging.getLogger()
    for logger in list(root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and not logger.propagate:
            if any(_writes_to_terminal(handler) for handler in logger.handlers):
                logger.handlers[:] = [handler for handler in logger.handlers if not _writes_to_terminal(handler)]
                logger.propagate = True


def _writes_to_terminal(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr)
