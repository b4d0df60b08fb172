"""What formats of JSON share: rows, their checks, offsets, and writing."""

import contextlib
import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from roseq_allennlp.data.formats.format import Output
from roseq_allennlp.files import replacing


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
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
