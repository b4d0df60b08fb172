"""What is written of tagged rows: JSON lines, or a format in which a person corrects them or `roseq score` reads them."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Optional, TextIO, Union

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.format_names import OUTPUT_FORMATS
from roseq_allennlp.data.formats import FORMATS
from roseq_allennlp.data.formats.json_rows import writing
from roseq_allennlp.predictors.inputs import Row
from roseq_allennlp.predictors.rows import as_json, tagged

STREAMS = ("jsonl", *(name for name in OUTPUT_FORMATS[1:] if FORMATS[name].is_lines))
"""Those that standard output can hold."""

Result = tuple[Row, dict[str, Any]]
_INPUTS = ("sentence", "tokens", "text")


def write(
    results: Iterable[Result], output_format: str, output: Union[str, TextIO], report: Callable[[str], None]
) -> None:
    """
    # Parameters

    results : `Iterable[Tuple[Row, Dict[str, Any]]]`
        Rows with their answers.
    output_format : `str`
        One of `format_names.OUTPUT_FORMATS`.
    output : `Union[str, TextIO]`
        A path, which is written whole or not at all; or a stream of text, for one of `STREAMS`.
    report : `Callable[[str], None]`
        Gets a line for each row that the format cannot hold, such as one with an error.
    """
    if output_format == "jsonl":
        with writing(output) as file:
            file.writelines(f"{as_json(tagged(row.kept, answer))}\n" for row, answer in results)
    elif output_format == "columns":
        with writing(output) as file:
            file.writelines(_valid(results, as_columns, report))
    elif output_format == "brat":
        with _new_directory(str(output)) as directory:
            FORMATS[output_format].write(_valid(results, as_document, report), str(directory))
    else:
        FORMATS[output_format].write(_valid(results, as_document, report), output)


def _valid(
    results: Iterable[Result], convert: Callable[[Row, dict[str, Any]], Any], report: Callable[[str], None]
) -> Any:
    for row, answer in results:
        try:
            if "error" in answer:
                raise ValueError(answer["error"])
            converted = convert(row, answer)
        except ValueError as error:
            report(f"{row.where}: left out: {error}")
        else:
            yield converted


def as_columns(row: Row, answer: dict[str, Any]) -> str:
    """
    A token a line, its tag in the input if it had one for each token, and its tag; an empty line after each sentence.
    Tokens that are white space, which columns cannot hold, are left out.

    # Raises

    `ValueError` for a token with a tab or a line end.
    """
    words, tags = answer["words"], answer["tags"]
    gold = row.kept.get("tags")
    has_gold = isinstance(gold, list) and len(gold) == len(words) and all(isinstance(tag, str) for tag in gold)
    columns = [words, gold, tags] if has_gold else [words, tags]
    ends = {sentence["end_token"] for sentence in answer.get("sentences", ())} | {len(words)}
    lines = []
    for position, line in enumerate(zip(*columns, strict=True), 1):
        if any(character in line[0] for character in "\t\n\r") and line[0].strip():
            raise ValueError(f"the token {line[0]!r} has a tab or a line end, which columns cannot hold")
        lines.append("\t".join(line) + "\n" if line[0].strip() else "")
        lines.append("\n" if position in ends else "")
    return "".join(lines)


def as_document(row: Row, answer: dict[str, Any]) -> Document:
    """
    The text with the answer's entities, tokens and sentences, and the other keys of the row.

    # Raises

    `ValueError` for keys that no file could hold.
    """
    other = {key: value for key, value in row.kept.items() if key not in _INPUTS}
    try:
        json.dumps(other, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its other keys cannot be written ({error})") from error
    text = _text(row.item)
    if text is None:
        document = Document.from_words(answer["words"])
    else:
        document = Document(text, tokens=token_bounds(text, answer["words"]))
    document.entities = [Entity(entity["label"], entity["start"], entity["end"]) for entity in answer["entities"]]
    if "sentences" in answer:
        document.sentences = [(sentence["start_token"], sentence["end_token"]) for sentence in answer["sentences"]]
    document.where, document.other = row.where, other
    return document


def _text(item: Any) -> Optional[str]:
    """The text that was tagged; `None` where it was tokens."""
    if not isinstance(item, dict) or "tokens" in item:
        return None
    return str(item["sentence"] if "sentence" in item else item["text"])


def token_bounds(text: str, words: list[str]) -> list[tuple[int, int]]:
    """The characters `[start, end)` of each word: words are pieces of the text, in their order."""
    tokens, position = [], 0
    for word in words:
        start = text.index(word, position)
        position = start + len(word)
        tokens.append((start, position))
    return tokens


@contextlib.contextmanager
def _new_directory(path: str) -> Iterator[Path]:
    """A temporary directory beside `path`, which takes its name at the end, or is removed on any error."""
    temporary = Path(path).with_name(f".{Path(path).name[:50]}.roseq-{secrets.token_hex(8)}")
    temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, path)  # over an empty directory too
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
