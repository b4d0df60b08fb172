"""Which format a file is in: by its name, and by how it begins."""

import itertools
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from roseq_allennlp.data.formats.arrow_files import is_parquet
from roseq_allennlp.data.formats.json_rows import parsed, text_lines
from roseq_allennlp.data.tag_schemes import UNKNOWN, split_tag
from roseq_allennlp.errors import ConfigurationError

_BY_EXTENSION = {
    ".spacy": "spacy",
    ".conllu": "conllu",
    ".conll": "columns",
    ".iob": "columns",
    ".iob2": "columns",
    ".bio": "columns",
}
_OUTPUT = {**_BY_EXTENSION, ".parquet": "hf", ".json": "label-studio", ".tsv": "columns", ".txt": "columns"}
WAY_OUT = "Name the format: doccano, prodigy, label-studio, brat, spacy, hf, conllu or columns (`--from`, or the reader's `format`)."


def recognised(path: str) -> str:
    """
    The name of the format of a file or directory.

    # Raises

    `ConfigurationError`: it is in none that is known.
    """
    if Path(path).is_dir():
        return _of_directory(Path(path))
    suffix = Path(path.removesuffix(".gz")).suffix.lower()
    if suffix in _BY_EXTENSION:
        return _BY_EXTENSION[suffix]
    if is_parquet(path):
        return "hf"
    filled = ((number, line) for number, line in text_lines(path) if line.strip())
    first = next(filled, None)
    if first is None:
        raise ConfigurationError(f"{path}: the file is empty.")
    number, line = first
    if line.lstrip().startswith("["):
        return "label-studio"
    if line.lstrip().startswith("{"):
        return _of_row(parsed(line, f"{path}, line {number}"), f"{path}, line {number}")
    if line.startswith("-DOCSTART-"):
        return "columns"
    if _are_tagged(other for _, other in itertools.chain([first], filled)):
        return "columns"
    raise ConfigurationError(f"{path}, line {number}: {reprlib.repr(line)} begins none of the known formats. {WAY_OUT}")


def format_of_output(path: str) -> str:
    """
    The name of the format that a file is to be written in, by its extension.

    # Raises

    `ConfigurationError`: several formats have it, or none has.
    """
    suffix = Path(path.removesuffix(".gz")).suffix.lower()
    if suffix not in _OUTPUT:
        raise ConfigurationError(f"{path}: its name does not tell the format. {WAY_OUT.replace('--from', '--to')}")
    return _OUTPUT[suffix]


def _of_directory(directory: Path) -> str:
    if (directory / "state.json").is_file() or (directory / "dataset_dict.json").is_file():
        return "hf"
    if next(directory.rglob("*.ann"), None) is not None:
        return "brat"
    raise ConfigurationError(
        f"{directory}: the directory holds neither .ann files (BRAT) nor what `save_to_disk` writes (Hugging Face)."
    )


def _of_row(row: Any, where: str) -> str:
    tokens = row.get("tokens")
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        return "hf"
    if any(isinstance(row.get(key), list) for key in ("label", "labels", "entities")):
        return "doccano"
    if "text" in row and ("spans" in row or "answer" in row or "_task_hash" in row):
        return "prodigy"
    raise ConfigurationError(
        f"{where}: a row with the keys {reprlib.repr(sorted(row))} is in none of the known formats. {WAY_OUT}"
    )


def _are_tagged(lines: Iterable[str]) -> bool:
    """By the first line that ends in something other than an unknown tag, as text may."""
    for line in lines:
        columns = line.split("\t") if "\t" in line else line.split(" ")
        tag = columns[-1].strip()
        if len(columns) > 1 and tag in (UNKNOWN, "-"):
            continue
        try:
            split_tag(tag)
        except ValueError:
            return False
        return len(columns) > 1
    return False
