"""Tagging by a pool of actors on a Ray cluster. Only what needs it imports Ray, an extra: `roseq-allennlp[ray]`."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import pyarrow
import pyarrow.parquet
import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.files import replacing
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
_PIECES = 1000  # of a job, so that what a stopped one repeats is little
_BYTES = (2**12, 2**22)  # of a piece of lines, at least and at most
_ROWS = (2**8, 2**15)  # of a piece of a row group, likewise
_BLOCKS = 2000  # that Ray hands out
_SLICES = 32  # of a row group at most, as each is read with the whole group


class Part(NamedTuple):
    """
    The lines that begin at `start` of a file or later, before `end`, in bytes; `line` is the number of the first, `rows` how
    many there are.
    """

    path: str
    start: int
    end: int
    line: int
    rows: int = 0

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
            result.append(part._replace(rows=sum(1 for _ in part.lines())))
            line += result[-1].rows
    return result


class Slice(NamedTuple):
    """`rows` rows of a row group of a Parquet file, from `start` on."""

    path: str
    group: int
    start: int
    rows: int

    def table(self) -> pyarrow.Table:
        return pyarrow.parquet.ParquetFile(self.path).read_row_group(self.group).slice(self.start, self.rows)


def slices(paths: list[str]) -> list[Slice]:
    """Parquet files in slices of their row groups."""
    files = {path: pyarrow.parquet.ParquetFile(path).metadata for path in paths}
    smallest, largest = _ROWS
    size = min(max(sum(file.num_rows for file in files.values()) // _PIECES, smallest), largest)
    result = []
    for path, file in files.items():
        for group in range(file.num_row_groups):
            rows = file.row_group(group).num_rows
            step = max(size, -(-rows // _SLICES))
            result += [Slice(path, group, start, min(step, rows - start)) for start in range(0, rows, step)]
    return result


def pieces_of(paths: list[str], source: str) -> list[list[Any]]:
    """What of the input becomes a file of the output each: the fields of a `Slice` for `parquet`, else of a `Part`."""
    if source == "parquet":
        return [list(piece) for piece in slices(paths)]
    smallest, largest = _BYTES
    size = min(max(sum(Path(path).stat().st_size for path in paths) // _PIECES, smallest), largest)
    return [list(part) for part in parts(paths, size)]


class TaggingActor:
    """
    Tags pieces of the input, each into a file of `directory`; a Ray actor holds one, with a tagger of its own. `least` is the least
    probability of an entity by type, and `review` whether those below it are marked or left out.
    """

    def __init__(
        self,
        archive: str,
        source: str,
        output: str,
        directory: str = "",
        batch_size: int = 2048,
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
        self._directory = Path(directory)
        self._batch_size = batch_size
        self._least = least
        self._review = review

    def __call__(self, pieces: pyarrow.Table) -> pyarrow.Table:
        """Tags those of `pieces`, with their `index` and `fields` as JSON, that are not there yet; returns their `index`."""
        for row in pieces.to_pylist():
            path = self._directory / file_name(row["index"], self._output)
            if not path.exists():  # else an actor that had this block wrote it and died
                kind = Slice if self._source == "parquet" else Part
                self._write(kind(*json.loads(row["fields"])), path)
        return pieces.select(["index"])

    def _write(self, piece: Union[Part, Slice], path: Path) -> None:
        table = piece.table()
        if table.num_rows != piece.rows:
            raise ValueError(
                f"{piece.path} has changed since the job began. Remove what the job has written, and begin anew"
            )
        batches = (
            self.tagged(table.slice(start, self._batch_size)) for start in range(0, len(table), self._batch_size)
        )
        with replacing(path) as temporary:
            if self._output == "parquet":
                pyarrow.parquet.write_table(pyarrow.concat_tables(batches), temporary)
            else:
                with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                    file.writelines(f"{line}\n" for batch in batches for line in batch["json"].to_pylist())

    def tagged(self, table: pyarrow.Table) -> pyarrow.Table:
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


def file_name(index: int, output: str) -> str:
    """The file of the output that has the piece of the input with this index: by name they are in the order of the input."""
    return f"part-{index:06d}.{output}"


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


def tag_pieces(
    pieces: list[list[Any]],
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
) -> None:
    """
    Tags those of `pieces` (see `pieces_of`) whose files are not in `directory` yet on the cluster that Ray is connected to, and
    writes these files. Each actor imports `packages`, whose components the archive may name; for `least` and `review` see
    `TaggingActor`.

    # Raises

    Ray's exceptions for what fails on the cluster.
    """
    import ray
    from ray.data import ActorPoolStrategy

    done = set(os.listdir(directory))
    todo = [
        {"index": index, "fields": json.dumps(fields)}
        for index, fields in enumerate(pieces)
        if file_name(index, output) not in done
    ]
    if not todo:
        return
    actors = actors or max(1, int(ray.cluster_resources()["CPU"]))
    with warnings.catch_warnings():
        # Ray 2.60 has no named parameters for restarts and retries, whatever its warning says.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        written = ray.data.from_items(todo, override_num_blocks=min(len(todo), _BLOCKS)).map_batches(
            TaggingActor,  # type: ignore[arg-type]
            fn_constructor_args=(
                *(archive, source, output, directory, batch_size, 0 if gpus else -1),
                *(packages, least, review),
            ),
            batch_format="pyarrow",
            batch_size=None,
            compute=ActorPoolStrategy(size=min(actors, len(todo))),
            # Less than a processor each, so that Ray's own tasks find one where all have an actor.
            num_cpus=0.9,
            num_gpus=gpus or None,
            # An actor that dies is started again and goes on with its block; not for ever, as that may be what kills it.
            max_restarts=_STARTS_OF_AN_ACTOR,
            max_task_retries=_TRIES_OF_A_BLOCK,
        )
        for _ in written.iter_batches(batch_size=None, batch_format="pyarrow"):
            pass
