import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from roseq_allennlp.console import Console
from roseq_allennlp.data.columns import shown_line
from roseq_allennlp.data.tag_schemes import UNKNOWN, split_tag
from roseq_allennlp.data.tag_spelling import INVISIBLE, shown_tag, visible
from roseq_allennlp.data.text_files import Places, lines
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import (
    Counts,
    Score,
    compared,
    conlleval_layout,
    scheme_of,
    score,
    token_scores,
    total,
)
from roseq_allennlp.scoring.surface_forms import surface_layout, surface_score
from roseq_allennlp.text import shown_in_json, shown_lines

_BOUNDARY = "-X-"  # conlleval's: a line that starts with it ends a sentence


def run(args: argparse.Namespace, console: Console) -> int:
    """Prints what `conlleval` prints, and more with `--surface` and `--json`."""
    name = args.file if args.file not in (None, "-") else "standard input"
    sentences = list(_sentences(_lines(args.file, name), name))
    words = [[token.word or "" for token in sentence] for sentence in sentences]
    has_words = all(map(all, words))
    if args.surface and not has_words:
        raise ConfigurationError(
            f"{name}: has tags only; --surface needs the tokens, in the first of three or more columns."
        )
    gold = [[token.gold for token in sentence] for sentence in sentences]
    predicted = [[token.predicted for token in sentence] for sentence in sentences]
    result = score(gold, predicted)
    forms = surface_score(words, gold, predicted) if args.surface or (args.json and has_words) else None
    if args.json:
        text = _shown(json.dumps(_everything(result, forms, gold, predicted), ensure_ascii=False) + "\n", shown_in_json)
    else:
        text = _shown(conlleval_layout(result) + ("" if forms is None else surface_layout(forms)), shown_lines)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))  # types as they were read
    return 0


def _shown(text: str, show: Callable[[str], str]) -> str:
    """Bytes that are not UTF-8 stay as they are, but for those that are control characters of other encodings."""
    parts = re.split("([\udca0-\udcff]+)", text)
    return "".join(part if index % 2 else show(part) for index, part in enumerate(parts))


class _Token(NamedTuple):
    word: Optional[str]  # None if there are only the columns of tags
    gold: str
    predicted: str


def _lines(file: Optional[str], name: str) -> Iterator[tuple[int, str]]:
    # Bytes that are not UTF-8 pass through unchanged.
    try:
        with open(0 if file in (None, "-") else file, "rb", closefd=file not in (None, "-")) as stream:  # type: ignore[arg-type]
            yield from lines(stream, name=name)
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror or error}. Give a file of tagged sentences.") from error


def _sentences(numbered: Iterator[tuple[int, str]], name: str) -> Iterator[list[_Token]]:
    sentence: list[_Token] = []
    width = first = missing = 0
    has_outside = False
    invisible = Places()
    for number, line in numbered:
        columns = _columns(line)
        if not columns or columns[0] == _BOUNDARY:
            if sentence:
                yield sentence
            sentence = []
            continue
        width, first = width or len(columns), first or number
        if len(columns) != width or width < 2:
            raise ConfigurationError(
                f"{name}, line {number}: {len(columns)} columns in {shown_line(line)}, expected"
                f" {'2 at least' if width < 2 else f'{width} as in line {first}'}, the last two of them the gold and the predicted"
                " tag. Correct the line."
            )
        gold, predicted = map(visible, columns[-2:])
        if [gold, predicted] != columns[-2:]:
            invisible.add(f"line {number}: {', '.join(map(shown_tag, columns[-2:]))}")
        if gold == "-":  # spaCy's unknown tag, in a file with an O
            gold, missing = UNKNOWN, missing or number
        has_outside = has_outside or gold == "O"
        try:
            gold == UNKNOWN or split_tag(gold), split_tag(predicted)
        except ValueError as error:
            raise ConfigurationError(f"{name}, line {number}: {error}.") from error
        sentence.append(_Token(columns[0] if width > 2 else None, gold, predicted))
    if sentence:
        yield sentence
    if missing and not has_outside:
        raise ConfigurationError(
            f"{name}, line {missing}: the gold tag '-' is unknown in a file that has the tag O, and this has none. Write O, or ?"
            " for unknown ones."
        )
    invisible.warn(name, INVISIBLE)


def _columns(line: str) -> list[str]:
    # Not `str.split()`, which also splits at the no-break space and others that tokens hold.
    by_tab = [column.strip(" ") for column in line.split("\t") if column.strip(" ")]
    if len(by_tab) > 1 and not any(" " in column for column in by_tab[-2:]):
        return by_tab  # then a token may hold spaces
    return [column for column in line.replace("\t", " ").split(" ") if column]


def _everything(
    result: Score, forms: Optional[dict[str, Counts]], gold: list[list[str]], predicted: list[list[str]]
) -> dict[str, Any]:
    scheme = scheme_of(gold)
    pairs = [compared(*pair, scheme) for pair in zip(gold, predicted, strict=True)]
    kinds = error_kinds.count_kinds(error_kinds.error_kinds(pairs)) if error_kinds.AVAILABLE else None
    return {
        **result.as_dict(),
        "surface_forms": None if forms is None else _as_dicts({"overall": total(forms), **forms}),
        "token_labels": _as_dicts(token_scores(gold, predicted)),
        "errors": kinds,
        "averages": _averages(result.types),
    }


def _as_dicts(scores: dict[str, Counts]) -> dict[str, dict[str, float]]:
    return {label: counts.as_dict() for label, counts in scores.items()}


def _averages(types: Mapping[str, Counts]) -> dict[str, dict[str, float]]:
    """The macro and weighted averages over types in percent, as seqeval computes them; `conlleval` does not have them."""
    gold = sum(counts.gold for counts in types.values())
    shares = {
        "macro": {label: 1 / len(types) for label in types},
        "weighted": {label: counts.gold / gold if gold else 0.0 for label, counts in types.items()},
    }
    return {
        average: {
            name: sum(share[label] * getattr(counts, name) for label, counts in types.items())
            for name in ("precision", "recall", "f1")
        }
        for average, share in (shares.items() if types else ())
    }
