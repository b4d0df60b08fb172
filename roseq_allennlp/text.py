"""Text from data, files and addresses as it is shown to people: nothing a terminal obeys, and no secrets."""

import logging
import os
import re
import warnings
from typing import Any

LOGS_VARIABLE = "ROSEQ_SHOWN_LOGS"  # set by `show_logs`, for the processes that a command starts
# Control characters, line and paragraph separators, what turns the direction of writing, and bytes that are not UTF-8.
_UNSEEN = r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
_ANY = re.compile(_UNSEEN)
_BUT_LINES = re.compile(rf"(?![\n\t]){_UNSEEN}")
_SECRET_NAME = re.compile(
    r"AWS_.*|(.*_)?(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|KEY|KEY_ID)", re.IGNORECASE
)
_SHORTEST_SECRET = 6  # characters; a shorter value may stand in any text
_IN_ADDRESS = re.compile(r"(?<=://)[^/?#\s'\"]+@")
_IN_QUERY = re.compile(
    r"([?&][^=&#\s]*(?:token|signature|sig|secret|password|key|credential)=)[^&#\s'\"]+", re.IGNORECASE
)


def shown(text: str) -> str:
    """
    `text` on one line, the characters that a terminal obeys or hides written as Python writes them (`\\x1b`), and without
    secrets.
    """
    return _ANY.sub(_escaped, without_secrets(text))


def shown_lines(text: str) -> str:
    """As `shown`, with line ends and tabs as they are."""
    return _BUT_LINES.sub(_escaped, without_secrets(text))


def shown_in_json(text: str) -> str:
    """JSON that reads the same, with those characters as its own escapes (`\\u001b`)."""
    return _BUT_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def without_secrets(text: str) -> str:
    """
    `text` with `$NAME` in place of the value of an environment variable that is named as secrets are (`HF_TOKEN`,
    `AWS_…`), and `***` in place of the user and password, or of a token or signature, in an address.
    """
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and value in text and _SECRET_NAME.fullmatch(name):
            text = text.replace(value, f"${name}")
    return _IN_QUERY.sub(r"\1***", _IN_ADDRESS.sub("***@", text))


class ShownRecord(logging.LogRecord):
    """A line of a log, and a stack trace below it, by `shown_lines`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.exc_info and self.exc_info[0] is not None:
            self.exc_text = shown_lines(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:
        return shown_lines(super().getMessage())


_formatwarning = warnings.formatwarning


def _shown_warning(*args: Any, **kwargs: Any) -> str:
    return shown_lines(_formatwarning(*args, **kwargs))


def show_logs() -> None:
    """From here on all lines of logs, and warnings, are written by `shown_lines`, in the processes started from here too."""
    os.environ[LOGS_VARIABLE] = "1"
    logging.setLogRecordFactory(ShownRecord)
    warnings.formatwarning = _shown_warning


def _escaped(match: "re.Match[str]") -> str:
    return match[0].encode("unicode_escape").decode("ascii")
