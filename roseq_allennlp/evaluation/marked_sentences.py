"""Sentences with their gold and predicted entities marked, for a page."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.tagged_data import Models, TaggedSentence
from roseq_allennlp.scoring.error_kinds import KindsOfSentence
from roseq_allennlp.scoring.suspects import overlap
from roseq_allennlp.text import shown

if TYPE_CHECKING:
    from markupsafe import Markup

COLORS = 10  # those of templates/report.css, in this order by frequency of the type
MOST = 3000  # sentences of a page
MOST_TEXT = 3_000_000  # characters of a page's sentences, about
MARK_TEXT = 150  # characters of an entity's marks, about
_QUOTED = 80  # characters of an entity that a remark quotes


class Selection(NamedTuple):
    """Which sentences a page holds: indices into the data, in its order."""

    indices: list[int]
    left_out: int
    """Other sentences with an entity."""
    left_out_with_errors: int


class MarkedRow(NamedTuple):
    """The words of a sentence with the entities of one side, and a remark on each error."""

    name: str
    text: "Markup"
    remarks: Sequence["Markup"] = ()


class MarkedSentence(NamedTuple):
    """A sentence of a page."""

    number: int
    """In the data, from 1."""
    rows: list[MarkedRow]
    """Gold entities first, then those of each model."""
    items: list[tuple[int, str, str]]
    """The model's number, the kind and a type of each entity, as they are shown: what the filters look at."""


def select(models: Models, kinds: Mapping[str, list[KindsOfSentence]]) -> Selection:
    """Selects sentences with an entity, those with an error first, until a page has as many as it can well show."""
    sentences = next(iter(models.values()))
    rows = [[kind for model in kinds.values() for kind, _ in model[index]] for index in range(len(sentences))]
    wrong = {index for index, row in enumerate(rows) if any(kind != "correct" for kind in row)}
    with_entity = sorted((index for index, row in enumerate(rows) if row), key=lambda index: index not in wrong)
    chosen: set[int] = set()
    room = MOST_TEXT
    for index in with_entity:
        size = sum(map(len, sentences[index].words)) * (1 + len(models)) + 2 * len(rows[index]) * MARK_TEXT
        if len(chosen) < MOST and size <= room:
            chosen.add(index)
            room -= size
    return Selection(sorted(chosen), len(with_entity) - len(chosen), len(wrong - chosen))


def marked_sentences(
    models: Models, kinds: Mapping[str, list[KindsOfSentence]], types: Sequence[str], indices: Iterable[int]
) -> Iterable[MarkedSentence]:
    """Yields the sentences at these indices, with their entities marked."""
    colors = {label: rank % COLORS for rank, label in enumerate(types)}
    for index in indices:
        sentences = {name: model[index] for name, model in models.items()}
        first = next(iter(sentences.values()))
        gold = first.gold_entities
        rows = [MarkedRow("gold", marked(first.words, dict.fromkeys(gold, ""), {}, colors))]
        items = set()
        for number, (name, sentence) in enumerate(sentences.items()):
            ordered = sorted(kinds[name][index], key=lambda pair: (pair[1].start, pair[0] == "missed"))
            rows.append(_model_row(name, sentence, ordered, gold, colors))
            items |= {(number, kind, shown(label)) for kind, span in ordered for label in _labels_at(span, gold)}
        yield MarkedSentence(index + 1, rows, sorted(items))


def _model_row(
    name: str, sentence: TaggedSentence, kinds: KindsOfSentence, gold: Sequence[Span], colors: Mapping[str, int]
) -> MarkedRow:
    predicted: dict[Span, str] = {}
    differing = dict.fromkeys(gold, "")
    remarks: list["Markup"] = []
    for kind, span in kinds:
        if kind == "correct":
            predicted[span] = f"{sentence.probabilities[span]:.2f} ✓"
            del differing[span]
            continue
        sign = f"✗{len(remarks) + 1}"
        remarks.append(_remark(sign, kind, span, sentence, gold))
        if kind == "missed":
            differing[span] = sign
        else:
            predicted[span] = f"{sentence.probabilities[span]:.2f} {sign}"
    return MarkedRow(name, marked(sentence.words, predicted, differing, colors), remarks)


def marked(
    words: Sequence[str], marks: Mapping[Span, str], differing: Mapping[Span, str], colors: Mapping[str, int]
) -> "Markup":
    """
    Marks entities in a sentence.

    # Parameters

    words : `Sequence[str]`
    marks : `Mapping[Span, str]`
        The entities with what is said of each behind its type.
    differing : `Mapping[Span, str]`
        Gold entities to underline, also within marks, with what is said behind each.
    colors : `Mapping[str, int]`
        The number of each type's colour.
    """
    from markupsafe import Markup

    mark_at, gold_at = (
        {at: span for span in spans for at in range(span.start, span.end)} for spans in (marks, differing)
    )
    result = []
    for mark, within_mark in groupby(range(len(words)), mark_at.get):
        parts = []
        for gold, run in groupby(within_mark, gold_at.get):
            positions = list(run)
            text = Markup("{}").format(_words(words[positions[0] : positions[-1] + 1]))
            if gold is not None:
                if differing[gold] and positions[-1] == gold.end - 1:
                    text += Markup(" <b>{} {}</b>").format(shown(gold.label), differing[gold])
                text = Markup("<u>{}</u>").format(text)
            parts.append(text)
        text = Markup(" ").join(parts)
        if mark is not None:
            said = f"{shown(mark.label)} {marks[mark]}".strip()
            text = Markup('<mark class="t{}">{} <b>{}</b></mark>').format(colors[mark.label], text, said)
        result.append(text)
    return Markup(" ").join(result)


def _remark(sign: str, kind: str, span: Span, sentence: TaggedSentence, gold: Sequence[Span]) -> "Markup":
    from markupsafe import Markup

    named = partial(quoted, sentence.words)
    remark = Markup("<b>{} {}:</b> ").format(sign, kind)
    if kind == "missed":
        return remark + named(span)
    overlapped = [other for other in gold if overlap(span, other)]
    remark += named(span, f" {sentence.probabilities[span]:.2f}")
    return remark + Markup("; gold: ") + Markup(", ").join(map(named, overlapped)) if overlapped else remark


def quoted(words: Sequence[str], entity: Span, probability: str = "") -> "Markup":
    """The words of an entity, cut where there are many, its type and what is said behind it."""
    from markupsafe import Markup

    text = _words(words[entity.start : entity.end])
    text = text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
    return Markup("“<bdi>{}</bdi>” {}{}").format(text, shown(entity.label), probability)


def _labels_at(span: Span, gold: Sequence[Span]) -> set[str]:
    """Returns the labels of an entity and of the gold ones it overlaps, so that either label finds a wrong type."""
    return {span.label, *(other.label for other in gold if overlap(span, other))}


def _words(words: Sequence[str]) -> str:
    """On one line, though a token may hold a line break, with the characters seen that turn the direction of writing."""
    return shown(" ".join(" ".join(words).split()))
