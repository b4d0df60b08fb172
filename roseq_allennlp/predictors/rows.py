"""Rows of files that are to be tagged: how they are read, and what is written of them. A bad row spoils no other one."""

import json
import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import IO, Any, AnyStr, Optional

from roseq_allennlp.predictors.sentences import Unreadable
from roseq_allennlp.text import shown_in_json, without_secrets

MAX_LINE = 2**26
"""Characters of a line, or of a file that is one document; a longer one is not kept in memory."""

ADDED = ("words", "tags", "entities", "sentences", "top_k_tags", "error")
"""The keys that tagging adds to a row."""

_BYTE = re.compile("[\udc80-\udcff]")  # as `surrogateescape` decodes what is not UTF-8
_SHOWN = 1000  # characters of a line that is no JSON


def read_line(file: IO[AnyStr]) -> Optional[AnyStr]:
    """The next line, with its end; empty at the end of the file. `None` for one beyond `MAX_LINE`, which is passed over."""
    line = file.readline(MAX_LINE)
    if len(line) < MAX_LINE:
        return line
    while len(line) == MAX_LINE and not line.endswith(b"\n" if isinstance(line, bytes) else "\n"):
        line = file.readline(MAX_LINE)
    return None


def repaired(text: str) -> str:
    """
    The text of a line that was decoded with `surrogateescape`: bytes that are not UTF-8 are read as Windows-1252, and a
    byte order mark before it is dropped.
    """
    text = text.removeprefix("\ufeff")
    return text if text.isascii() else _BYTE.sub(_from_byte, text)


def _from_byte(match: "re.Match[str]") -> str:
    return bytes([ord(match[0]) - 0xDC00]).decode("cp1252", "replace")


def too_long(what: str = "the line") -> Unreadable:
    """What takes the place of text beyond `MAX_LINE`."""
    return Unreadable(error=f"{what} has more than {MAX_LINE} characters. Split it.")


def from_json(line: str) -> Any:
    """
    What a line of JSON holds; an empty line is an empty sentence. `Unreadable` for what is no JSON, or has a key twice, of
    which one would be lost.
    """
    line = line.lstrip("\ufeff")
    if not line or line.isspace():
        return {"sentence": ""}
    try:
        return json.loads(line, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        return Unreadable(error=f"not a line of JSON: {error}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {reprlib.repr(twice)} stands there twice")
    return result


def kept(item: Any, file: str, line: int, text: Optional[str]) -> dict[str, Any]:
    """What of a line its answer has beside it: all its keys, or else where it is and how it begins."""
    if type(item) is dict:
        return item
    place = {"file": without_secrets(file), "line": line}
    if text is None:
        return place
    return {**place, "text": text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"}


def renamed(names: Iterable[str]) -> list[str]:
    """The names with `input_` before those that tagging adds, so that no two are the same."""
    result = list(names)
    for index, name in enumerate(result):
        while name in ADDED or (name != result[index] and name in result):
            name = f"input_{name}"
        result[index] = name
    return result


def tagged(row: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its answer; a key of the row that tagging adds is `input_…`."""
    if row.keys().isdisjoint(ADDED):
        return {**row, **answer}
    return {**dict(zip(renamed(row), row.values(), strict=True)), **answer}


def as_json(row: Mapping[str, Any]) -> str:
    """
    A line of JSON that can be written as UTF-8 and shown on a terminal. What JSON does not have becomes `null` (NaN,
    infinite numbers) or its text (dates). A row that is nested too deeply keeps its plain values alone, and has an `error`.
    """
    try:
        try:
            text = json.dumps(row, ensure_ascii=False, allow_nan=False, default=str)
        except ValueError:
            text = json.dumps(_finite(row), ensure_ascii=False, default=str)
    except RecursionError:
        plain = {key: value for key, value in row.items() if not isinstance(value, (list, dict))}
        return as_json({**plain, "error": "the row is nested too deeply to be written"})
    return text if text.isprintable() else shown_in_json(text)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
