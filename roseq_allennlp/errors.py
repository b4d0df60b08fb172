"""What a user has to mend, told without AllenNLP."""

import sys


class _Configuration(Exception):
    """Stands in the place of AllenNLP's class, which `registration` makes the base; Python wants one that is laid out alike."""


class ConfigurationError(_Configuration):
    """
    Bad configuration, files or arguments: a command shows it as one line. Modules that must be quick to import raise it in
    place of AllenNLP's error of that name, which imports torch; once the package's components are registered it is a
    subclass of that one.

    # Parameters

    message : `str`
        What is wrong, where, and the way out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def configuration_errors() -> tuple[type[Exception], ...]:
    """This class, and AllenNLP's where that is imported: for `except`, which asks only when there is an exception."""
    checks = sys.modules.get("allennlp.common.checks")
    return (ConfigurationError, *([checks.ConfigurationError] if checks else []))


class Terminated(BaseException):
    """SIGTERM has come."""
