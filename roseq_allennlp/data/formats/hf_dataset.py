"""Datasets of Hugging Face for token classification: `tokens` and `ner_tags`, as JSON lines, Parquet, or by `save_to_disk`."""

import reprlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Optional

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.arrow_files import arrow_rows, is_parquet, tag_names, write_parquet
from roseq_allennlp.data.formats.checks import checked_label, checked_text
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import rows, write_rows
from roseq_allennlp.data.tag_schemes import UNKNOWN, detect_scheme, invalid_positions, split_tag
from roseq_allennlp.errors import ConfigurationError

TAGS = ("ner_tags", "tags")  # the latter in some datasets of the hub


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """
    See `Format`. A row is a sentence. Integers are tags by their names: those of `labels`, those that Parquet or
    `save_to_disk` have with the data, or those of a `dataset_info.json` beside a file of JSON lines.
    """
    names = options.labels or tag_names(path, TAGS)
    scheme = detect_scheme(tags for _, _, tags, _ in _sentences(path, names))
    for where, words, tags, other in _sentences(path, names):
        for position in invalid_positions(tags, scheme):
            tally.add(f"invalid {scheme} tags repaired", f"{where} {tags[position]}")
        yield Document.from_tags(words, tags, scheme, tally, where=where, other=other)


def _sentences(path: str, names: Optional[list[str]]) -> Iterator[tuple[str, list[str], list[str], dict[str, Any]]]:
    for where, row in _rows(path):
        key = next((key for key in TAGS if key in row), None)
        words, tags = row.get("tokens"), row[key] if key else None
        if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
            raise ConfigurationError(
                f"{where}: expected lists `tokens` and `ner_tags` of one length, got {reprlib.repr(row)}."
            )
        for word in words:
            if not checked_text(word, where):
                raise ConfigurationError(f"{where}: a token is empty. Remove it and its tag.")
        other = {name: value for name, value in row.items() if name not in ("tokens", key)}
        yield where, words, [_tag(tag, names, where) for tag in tags], other


def _tag(tag: Any, names: Optional[list[str]], where: str) -> str:
    if isinstance(tag, int) and not isinstance(tag, bool):
        if names is None:
            raise ConfigurationError(
                f"{where}: the tags are integers, and their names are not with the file. Give `labels`, such as"
                ' ["O", "B-PER", "I-PER"], in order (`--labels O,B-PER,I-PER`).'
            )
        if not 0 <= tag < len(names):
            raise ConfigurationError(f"{where}: the tag {tag} has no name; there are {len(names)}, from 0 on.")
        tag = names[tag]
    try:
        if tag != UNKNOWN:
            split_tag(checked_label(tag, where))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}.") from error
    return tag


def _rows(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not Path(path).is_dir() and not is_parquet(path):
        yield from rows(path)
        return
    for number, row in enumerate(arrow_rows(path), 1):
        yield f"{path}, row {number}", row


def write(documents: Iterable[Document], output: Output) -> None:
    """See `Format`. Rows are sentences, their tags IOB2, as strings; Parquet where the name ends in `.parquet`."""
    if isinstance(output, str) and output.endswith(".parquet"):
        write_parquet((row for document in documents for row in _tagged(document)), output)
    else:
        write_rows(({**document.other, **row} for document in documents for row in _tagged(document)), output)


def _tagged(document: Document) -> Iterator[dict[str, Any]]:
    words, tags, sentences = document.tagged()
    for start, end in sentences:
        yield {"tokens": words[start:end], "ner_tags": tags[start:end]}
