import argparse
import os
from collections.abc import Sequence
from typing import Any, Union

from roseq_allennlp.console import Console
from roseq_allennlp.data.cache import cached_path
from roseq_allennlp.data.catalogue import CORPORA, VECTORS, Corpus, Vectors
from roseq_allennlp.data.column_file import LAYOUTS, ColumnFile
from roseq_allennlp.data.corpora import DATA_VARIABLE, SCHEME, at_hand, resolve, verify
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.evaluation.corpus_statistics import SplitStatistics, split_statistics

_ENTRIES: dict[str, Union[Corpus, Vectors]] = {**CORPORA, **VECTORS}


def run(args: argparse.Namespace, console: Console) -> int:
    """Shows, fetches, verifies or counts the catalogue's files."""
    for name in args.names:
        if name not in _ENTRIES:
            raise ConfigurationError(f"{name!r} is not in the catalogue. Choose from {', '.join(_ENTRIES)}.")
    # Vectors are large, so they are fetched by name only.
    names = args.names or list(_ENTRIES if args.action in ("list", "verify") else CORPORA)
    if args.action == "list":
        console.table(["name", "language", "reader", "types", "where", "licence"], list(map(_described, names)))
        return 0
    if args.action == "verify":
        return _verify(names, console)
    if args.action == "fetch":
        return _fetch(names, args.names, console)
    return _statistics(names, args.names, console)


def _paths(name: str) -> list[str]:
    return [f"{SCHEME}://{name}/{file}" for file in _ENTRIES[name].files]


def _described(name: str) -> list[str]:
    entry = _ENTRIES[name]
    if all(map(at_hand, _paths(name))):
        where = "here"
    elif all(source.addresses for source in entry.files.values()) and not _must_be_local(entry):
        where = "to be downloaded"
    else:
        where = f"put {', '.join(source.local[0] for source in entry.files.values())} below ${DATA_VARIABLE}"
    if isinstance(entry, Vectors):
        return [name, entry.language, "vectors", f"{entry.dimension} dimensions", where, entry.licence]
    return [name, entry.language, entry.reader, " ".join(entry.types), where, entry.licence]


def _must_be_local(entry: Union[Corpus, Vectors]) -> bool:
    return isinstance(entry, Corpus) and bool(os.environ.get(DATA_VARIABLE))


def _verify(names: Sequence[str], console: Console) -> int:
    paths = [path for name in names for path in _paths(name)]
    rows = [[path, verify(path), str(at_hand(path) or "")] for path in console.progress(paths, "verifying")]
    console.table(["file", "SHA-256", "where"], rows)
    differing = [path for path, status, _ in rows if status == "differs"]
    if differing:
        console.say(
            f"{', '.join(differing)}: not the files of the known results. Replace them with those files, or remove them and"
            f" unset {DATA_VARIABLE} to have those files downloaded."
        )
    return 1 if differing else 0


def _fetch(names: Sequence[str], asked_for: Sequence[str], console: Console) -> int:
    rows, failed = [], False
    for path in console.progress([path for name in names for path in _paths(name)], "fetching"):
        try:
            # Vectors are shown as the text file that configs name, corpora as the file that the reader opens.
            rows.append([path, cached_path(resolve(path))])
        except ConfigurationError as error:
            console.say(error.message)
            # Asking for all corpora does not ask for those that need a licence.
            needs_a_licence = not _ENTRIES[path.split("/")[2]].files[path.split("/")[3]].addresses
            failed = failed or bool(asked_for) or not needs_a_licence
    console.table(["file", "where"], rows)
    return 1 if failed else 0


def _statistics(names: Sequence[str], asked_for: Sequence[str], console: Console) -> int:
    splits: dict[str, dict[str, SplitStatistics]] = {}
    for name in console.progress(names, "counting"):
        corpus = _ENTRIES[name]
        if isinstance(corpus, Vectors):
            raise ConfigurationError(f"{name}: has word vectors; only corpora are counted: {', '.join(CORPORA)}.")
        try:
            file = ColumnFile(**LAYOUTS[corpus.reader])
            splits[name] = {
                split: split_statistics(tags for _, _, tags in file.read_numbered(f"{SCHEME}://{name}/{split}"))
                for split in corpus.files
            }
        except ConfigurationError as error:
            if asked_for:
                raise
            console.say(error.message)
    for name, by_split in splits.items():
        console.table(*_label_counts(by_split), title=f"{name}: tokens of each label, entities of each type")
    headers = ["corpus", "language"]
    headers += [f"{split} {what}" for split in ("train", "dev", "test") for what in ("sentences", "tokens", "entities")]
    rows = []
    for name, by_split in splits.items():
        row: list[Any] = [name, _ENTRIES[name].language]
        for statistics in by_split.values():
            row += [statistics.sentences, statistics.tokens.total(), statistics.entities.total()]
        rows.append(row)
    console.table(headers, rows, "All")
    return 0


def _label_counts(splits: dict[str, SplitStatistics]) -> tuple[list[str], list[list[Any]]]:
    headers = ["label", *(header for split in splits for header in (f"{split} tokens", "%", "entities"))]
    labels = {label for statistics in splits.values() for label in statistics.tokens}
    training = next(iter(splits.values())).tokens
    rows = []
    for label in sorted(labels, key=lambda label: (-training[label], label)):
        row: list[Any] = [label]
        for statistics in splits.values():
            share = 100 * statistics.tokens[label] / max(statistics.tokens.total(), 1)
            row += [statistics.tokens[label], share, "" if label == "O" else statistics.entities[label]]
        rows.append(row)
    return headers, rows
