"""Tagging by a pool of actors on a Ray cluster. Only what needs it imports Ray, an extra: `roseq-allennlp[ray]`."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pyarrow
import pyarrow.parquet
import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.plugins import import_packages
from roseq_allennlp.predictors.loading import load
from roseq_allennlp.predictors.rows import as_json, kept, read_line, renamed, repaired, tagged, too_long
from roseq_allennlp.predictors.thresholds import apply_thresholds

# Types of the columns that tagging adds to Parquet; the same in every block, also where no row has an entity or an error.
_STRINGS = pyarrow.list_(pyarrow.string())
_ENTITY = [("text", pyarrow.string()), ("label", pyarrow.string())]
_ENTITY += [(name, pyarrow.int64()) for name in ("start", "end", "start_token", "end_token")]
_SENTENCE = [(name, pyarrow.int64()) for name in ("start", "end", "start_token", "end_token")]
_ENTITY += [("probability", pyarrow.float64())]
ADDED_COLUMNS = {
    "words": _STRINGS,
    "tags": _STRINGS,
    "entities": pyarrow.list_(pyarrow.struct(_ENTITY)),
    "sentences": pyarrow.list_(pyarrow.struct(_SENTENCE)),  # of a document
    "error": pyarrow.string(),
}
_REVIEWED = pyarrow.list_(pyarrow.struct([*_ENTITY, ("review", pyarrow.bool_())]))  # null where it is not marked
_TRIES_OF_A_BLOCK = 3  # after the first, when the actor that had it dies
_STARTS_OF_AN_ACTOR = 20  # likewise
_PARTS = (2**16, 2**24)  # bytes of a file of lines that one task reads, at least and at most


class Part(NamedTuple):
    """The lines that begin at `start` of a file or later, before `end`, in bytes; `line` is the number of the first."""

    path: str
    start: int
    end: int
    line: int

    def lines(self) -> Iterator[Optional[bytes]]:
        """`None` for a line that is too long, see `rows.read_line`."""
        with open(self.path, "rb") as file:
            file.seek(max(self.start - 1, 0))
            if self.start:
                read_line(file)  # the end of a line that began before
            while file.tell() < self.end and (line := read_line(file)) != b"":
                yield line

    def table(self) -> pyarrow.Table:
        """`file`, `line` (from 1) and `text`, see `rows.repaired`; null for a line that is too long."""
        texts = [line and repaired(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")) for line in self.lines()]
        numbers = range(self.line, self.line + len(texts))
        columns = {"file": [self.path] * len(texts), "line": numbers, "text": texts}
        schema = pyarrow.schema([("file", pyarrow.string()), ("line", pyarrow.int64()), ("text", pyarrow.string())])
        return pyarrow.table(columns, schema=schema)


def parts(paths: list[str], size: int) -> list[Part]:
    """Files of lines in parts of that many bytes."""
    result: list[Part] = []
    for path in paths:
        line, length = 1, Path(path).stat().st_size
        for start in range(0, length, size):
            part = Part(path, start, min(start + size, length), line)
            result.append(part)
            line += sum(1 for _ in part.lines())
    return result


class TaggingActor:
    """
    Tags tables of rows; a Ray actor holds one, with a tagger of its own. `least` is the least probability of an entity by type,
    and `review` whether those below it are marked or left out.
    """

    def __init__(
        self,
        archive: str,
        source: str,
        output: str,
        cuda_device: int = -1,
        packages: Sequence[str] = (),
        least: Optional[Mapping[str, float]] = None,
        review: bool = False,
    ) -> None:
        torch.set_num_threads(1)
        import_packages(list(packages))  # whose components the archive may name
        self._tagger: Any = load(archive, cuda_device)
        self._source = source
        self._output = output
        self._least = least
        self._review = review

    def __call__(self, table: pyarrow.Table) -> pyarrow.Table:
        """
        # Parameters

        table : `pyarrow.Table`
            From `txt` or `jsonl` the columns of `Part.table`; from `parquet` any, with `sentence` or `tokens`.

        # Returns

        `pyarrow.Table`
            As many rows in the same order: for `parquet` the columns of the input and `ADDED`, for `jsonl` one column
            `json`. A column or key of the input that has one of these names is kept as `input_…`.
        """
        rows: list[dict[str, Any]] = table.to_pylist()
        items = [self._item(row) for row in rows]
        answers = [
            apply_thresholds(answer, self._least, self._review) for answer in self._tagger.predict_batch_json(items)
        ]
        if self._output == "jsonl":
            lines = list(map(as_json, map(tagged, map(self._kept, rows, items), answers)))
            return pyarrow.table({"json": pyarrow.array(lines, pyarrow.string())})
        table = table.rename_columns(renamed(table.column_names))
        for name, kind in {**ADDED_COLUMNS, **({"entities": _REVIEWED} if self._review else {})}.items():
            table = table.append_column(name, pyarrow.array([answer.get(name) for answer in answers], kind))
        return table

    def _item(self, row: dict[str, Any]) -> Any:
        if self._source != "parquet" and row["text"] is None:
            return too_long()
        if self._source == "txt":
            return {"sentence": row["text"]}
        if self._source == "jsonl":
            return self._tagger.load_line(row["text"])
        return {name: row[name] for name in ("sentence", "tokens", "text") if row.get(name) is not None}

    def _kept(self, row: dict[str, Any], item: Any) -> dict[str, Any]:
        """What of its input a line of output has."""
        if self._source != "jsonl":
            return row
        return {"file": row["file"], "line": row["line"], **kept(item, row["file"], row["line"], row["text"])}


def _part(row: dict[str, Any]) -> pyarrow.Table:
    return Part(*(row[name][0] for name in Part._fields)).table()


def _row_group(row: dict[str, Any]) -> pyarrow.Table:
    return pyarrow.parquet.ParquetFile(row["path"][0]).read_row_group(int(row["group"][0]))


def check_parquet(paths: list[str]) -> None:
    """
    # Raises

    `ConfigurationError` for a file that cannot be read, or a column that has not one type in all files: rows of several
    files may go into one block.
    """
    kinds: dict[str, tuple[pyarrow.DataType, str]] = {}
    for path in paths:
        try:
            schema = pyarrow.parquet.read_schema(path)
        except (OSError, pyarrow.ArrowException) as error:
            raise ConfigurationError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
        for field in schema:
            kind, first = kinds.setdefault(field.name, (field.type, path))
            if kind != field.type:
                raise ConfigurationError(
                    f"{path}: its column `{field.name}` is {field.type}, that of {first} is {kind}. Make them one type, or"
                    " run a job for each."
                )


def tag_dataset(
    paths: list[str],
    source: str,
    directory: str,
    output: str,
    archive: str,
    actors: Optional[int],
    batch_size: int,
    gpus: float,
    packages: Sequence[str] = (),
    least: Optional[Mapping[str, float]] = None,
    review: bool = False,
) -> int:
    """
    Tags files on the cluster that Ray is connected to, writes into `directory`, and returns the number of rows written.
    Each actor imports `packages`, whose components the archive may name; for `least` and `review` see `TaggingActor`.

    # Raises

    Ray's exceptions for what fails on the cluster.
    """
    import ray
    from ray.data import ActorPoolStrategy
    from ray.data.block import BlockAccessor
    from ray.data.datasource import BlockBasedFileDatasink

    class Sink(BlockBasedFileDatasink):
        rows = 0

        def write_block_to_file(self, block: BlockAccessor, file: pyarrow.NativeFile) -> None:
            table = block.to_arrow()
            if output == "parquet":
                pyarrow.parquet.write_table(table, file)
            else:
                file.write("".join(f"{line}\n" for line in table["json"].to_pylist()).encode("utf-8"))

        def on_write_complete(self, write_result: Any) -> None:
            super().on_write_complete(write_result)
            self.rows = write_result.num_rows

    actors = actors or max(1, int(ray.cluster_resources()["CPU"]))
    if source == "parquet":
        read: Any = _row_group
        pieces: list[dict[str, Any]] = [
            {"path": path, "group": group}
            for path in paths
            for group in range(pyarrow.parquet.ParquetFile(path).num_row_groups)
        ]
    else:
        read = _part
        smallest, largest = _PARTS
        size = sum(Path(path).stat().st_size for path in paths) // (8 * actors)  # for actors to end at about one time
        pieces = [part._asdict() for part in parts(paths, min(max(size, smallest), largest))]
    if not pieces:
        return 0
    rows = ray.data.from_items(pieces).map_batches(read, batch_size=1, num_cpus=0.1)
    with warnings.catch_warnings():
        # Ray 2.60 has no named parameters for restarts and retries, whatever its warning says.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        tagged = rows.map_batches(
            TaggingActor,  # type: ignore[arg-type]
            fn_constructor_args=(archive, source, output, 0 if gpus else -1, packages, least, review),
            batch_format="pyarrow",
            batch_size=batch_size,
            compute=ActorPoolStrategy(size=min(actors, len(pieces))),
            # Less than a processor each, so that reading and writing find one where all have an actor.
            num_cpus=0.9,
            num_gpus=gpus or None,
            # An actor that dies is started again and its rows are tagged again; not for ever, as they may be what kills it.
            max_restarts=_STARTS_OF_AN_ACTOR,
            max_task_retries=_TRIES_OF_A_BLOCK,
        )
        sink = Sink(directory, file_format=output)
        tagged.write_datasink(sink, ray_remote_args={"num_cpus": 0.1})
    return sink.rows
