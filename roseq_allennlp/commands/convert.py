import argparse
import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Optional

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.console import Console
from roseq_allennlp.data.conversion import Conversion, splits_of
from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats import FORMATS, ReadOptions, format_of_output, recognised
from roseq_allennlp.data.text_files import local_path
from roseq_allennlp.data.tokenizers import SpacyTokenizer

_SPLITS = {2: ("train", "dev"), 3: ("train", "dev", "test")}


def run(args: argparse.Namespace, console: Console) -> int:
    """Writes labelled data in another format, or divides it into splits."""
    shares = None if args.split is None else _shares(args.split)
    target = args.target or format_of_output(args.output)
    path = args.input if Path(args.input).is_dir() else local_path(args.input)
    options = ReadOptions(
        args.annotator,
        None if args.labels is None else args.labels.split(","),
        args.offsets,
        args.misaligned,
        None if args.columns is None else _columns(args.columns),
        args.assume_unmarked,
    )
    if not Path(args.output).exists():  # else the format says what may stand there
        prepared(args.output)
    tokenizer = functools.cache(SpacyTokenizer)  # made when the first text comes that has no tokens
    conversion = Conversion(
        path,
        args.source or recognised(path),
        target,
        options,
        lambda text: tokenizer(args.language)(text),
        args.tokenized,
    )
    if shares is None:
        _write(conversion, args.output, console)
        return 0
    if args.output == "-":
        raise ConfigurationError("--split writes several files, which cannot go to standard output. Name OUT.")
    indices = splits_of((document.text for document in conversion.documents(Tally())), shares, args.seed)
    for split, name in enumerate(_SPLITS[len(shares)]):
        _write(conversion, _named(args.output, name), console, [index == split for index in indices], split == 0)
    return 0


def _write(
    conversion: Conversion,
    output: str,
    console: Console,
    chosen: Optional[Iterable[bool]] = None,
    warn: bool = True,
) -> None:
    tally = Tally()
    documents = conversion.documents(tally)
    if chosen is not None:
        documents = (document for document, is_in in zip(documents, chosen, strict=True) if is_in)
    counts = [0, 0]
    FORMATS[conversion.target].write(_counted(documents, counts), output)
    if warn and tally.counts:
        console.say(f"{conversion.path}: {tally}")
    console.say(f"{output}: {counts[0]} documents with {counts[1]} entities")


def _counted(documents: Iterator[Document], counts: list[int]) -> Iterator[Document]:
    for document in documents:
        counts[0] += 1
        counts[1] += len(document.entities)
        yield document


def _named(output: str, split: str) -> str:
    """`data.jsonl` becomes `data.train.jsonl`, and the directory `data` becomes `data.train`."""
    path = Path(output)
    suffixes = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
    return str(path.with_name(f"{path.name.removesuffix(suffixes)}.{split}{suffixes}"))


def _shares(text: str) -> list[int]:
    try:
        shares = [int(share) for share in text.split(",")]
    except ValueError:
        shares = []
    if len(shares) not in _SPLITS or min(shares) < 1 or sum(shares) != 100:
        raise ConfigurationError(
            f"--split: expected two or three whole percents whose sum is 100, such as 80,10,10, got {text!r}."
        )
    return shares


def _columns(text: str) -> dict[str, Any]:
    try:
        columns = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--columns: not JSON: {error}.") from error
    if not isinstance(columns, dict):
        raise ConfigurationError(f'--columns: expected an object, such as {{"tag_column": 2}}, got {text}.')
    return columns
