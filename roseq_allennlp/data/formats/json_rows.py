"""What formats of JSON share: rows, their checks, offsets, and writing."""

import contextlib
import gzip
import json
import re
import reprlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from roseq_allennlp.data.formats.format import Output
from roseq_allennlp.data.text_files import decoded_lines, find_encoding
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.files import replacing

_SURROGATE = re.compile("[\ud800-\udfff]")


@contextlib.contextmanager
def writing(output: Output) -> Iterator[TextIO]:
    """
    A stream of text in UTF-8: that which is given, standard output for `-`, or a file that takes its place at the end
    (see `files.replacing`), compressed if its name ends in `.gz`.
    """
    if not isinstance(output, str):
        yield output
    elif output == "-":
        yield sys.stdout
    else:
        with replacing(output) as temporary:
            opened = gzip.open if output.endswith(".gz") else open
            with opened(temporary, "wt", encoding="utf-8", newline="\n") as file:
                yield file


def write_rows(rows: Iterable[dict[str, Any]], output: Output) -> None:
    """JSON lines. Characters stand as they are."""
    with writing(output) as file:
        for row in rows:
            file.write(as_json(row) + "\n")


def text_lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, in the encoding that it is found to be in."""
    return decoded_lines(path, find_encoding(path))


def whole_text(path: str) -> str:
    """All of a file."""
    return "\n".join(line for _, line in text_lines(path))


def rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of JSON lines with its place, as a stream. Lines of white space are passed over."""
    for number, line in text_lines(path):
        if line.strip():
            where = f"{path}, line {number}"
            row = parsed(line, where)
            if not isinstance(row, dict):
                raise ConfigurationError(f"{where}: expected a JSON object, got {reprlib.repr(row)}.")
            yield where, row


def parsed(text: str, where: str) -> Any:
    """Raises `ConfigurationError` for what is no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ConfigurationError(f"{where}: the JSON is nested too deeply.") from error
    except ValueError as error:
        raise ConfigurationError(f"{where}: not JSON: {error}.") from error


def as_json(value: Any) -> str:
    """In one line, with all characters as they are but halves of surrogate pairs, which UTF-8 has no bytes for."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
