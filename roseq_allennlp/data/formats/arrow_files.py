"""Parquet, and the directories of `save_to_disk` of Hugging Face's `datasets`, by Apache Arrow, which is an extra."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

from roseq_allennlp.data.formats.json_rows import parsed
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.files import replacing

_ROWS = 1000  # of a batch


def is_parquet(path: str) -> bool:
    """By its first bytes."""
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def arrow_rows(path: str) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, or of a directory that `Dataset.save_to_disk` wrote, as a stream."""
    with _refusing(path):
        for batch in _batches(path):
            yield from batch.to_pylist()


def tag_names(path: str, columns: Iterable[str]) -> Optional[list[str]]:
    """
    The names that the integers of one of these columns stand for, if they are with the data: in the metadata of Parquet,
    or in `dataset_info.json` in the directory, or beside a file.
    """
    features: Any = None
    if not Path(path).is_dir() and is_parquet(path):
        with _refusing(path):
            metadata = _pyarrow(path).parquet.read_schema(path).metadata or {}
        if b"huggingface" in metadata:
            features = parsed(metadata[b"huggingface"].decode("utf-8", "replace"), f"{path}, metadata")
    if features is None:
        beside = Path(path, "dataset_info.json") if Path(path).is_dir() else Path(path).with_name("dataset_info.json")
        if not beside.is_file():
            return None
        features = parsed(beside.read_text("utf-8", "replace"), str(beside))
    return next((names for column in columns if (names := _names_below(features, column))), None)


def write_parquet(rows: Iterable[dict[str, Any]], path: str) -> None:
    """Rows of `tokens` and `ner_tags`, both lists of strings, as a stream."""
    pyarrow = _pyarrow(path)
    strings = pyarrow.list_(pyarrow.string())
    schema = pyarrow.schema([("tokens", strings), ("ner_tags", strings)])
    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema) as writer:
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _ROWS:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema))
                batch = []
        writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _batches(path: str) -> Iterator[Any]:
    pyarrow = _pyarrow(path)
    if not Path(path).is_dir():
        with pyarrow.parquet.ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS)
        return
    for file in _data_files(Path(path)):
        with open(file, "rb") as stream, pyarrow.ipc.open_stream(stream) as reader:
            yield from reader


def _data_files(directory: Path) -> list[Path]:
    if (directory / "dataset_dict.json").is_file():
        splits = sorted(entry.name for entry in directory.iterdir() if entry.is_dir())
        raise ConfigurationError(
            f"{directory}: holds the splits {', '.join(splits)}. Name one of them: {directory / (splits or ['train'])[0]}"
        )
    state = parsed((directory / "state.json").read_text("utf-8", "replace"), str(directory / "state.json"))
    with contextlib.suppress(TypeError, KeyError, AttributeError):
        if not state.get("_indices_data_files"):
            return [directory / Path(file["filename"]).name for file in state["_data_files"]]
    raise ConfigurationError(
        f"{directory / 'state.json'}: names no `_data_files`, or a selection of rows beside them. Save the dataset anew with"
        " `save_to_disk`."
    )


def _names_below(value: Any, column: str) -> Optional[list[str]]:
    """The first list `names` under a key `column`, at any depth."""
    found = _first(value, column)
    names = None if found is None else _first(found, "names")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _first(value: Any, key: str) -> Any:
    if isinstance(value, dict) and key in value:
        return value[key]
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for part in below if (found := _first(part, key)) is not None), None)


@contextlib.contextmanager
def _refusing(path: str) -> Iterator[None]:
    pyarrow = _pyarrow(path)
    try:
        yield
    except ConfigurationError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: cannot be read by Apache Arrow: {' '.join(str(error).split())[:200]}. Write it anew."
        ) from error


def _pyarrow(path: str) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            f"{path}: needs Apache Arrow, which is not installed: pip install 'roseq-allennlp[hf]'."
        ) from error
    return pyarrow
