"""Sentences with their gold and predicted entities marked, by displaCy, for a page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.tagged_data import Models
from roseq_allennlp.scoring.error_kinds import KindsOfSentence

# Light enough for black text, in this order by frequency of the type.
_PASTELS = (
    "#a8d8f0",
    "#f6d08a",
    "#8fdcc0",
    "#ecc0dc",
    "#f4ee9a",
    "#f2b48c",
    "#c5cdf5",
    "#cfe3a6",
    "#e0d3c3",
    "#d2d2d2",
)
_MARK = '<mark style="background: {bg}">{text} <b>{label}{verdict}</b></mark>'


def marked_sentences(
    models: Models, kinds: Mapping[str, list[KindsOfSentence]], types: Sequence[str]
) -> Iterable[dict[str, Any]]:
    """Yields the number of each sentence with an entity, its rows of marked text, and what the filters look at."""
    colors = {label: _PASTELS[rank % len(_PASTELS)] for rank, label in enumerate(types)}
    for index, same in enumerate(zip(*models.values(), strict=True)):
        gold = same[0].gold_entities
        kinds_by_model = [kinds[name][index] for name in models]
        if not gold and not any(kinds_by_model):
            continue
        rows = [("gold", _displacy(same[0].words, [(span, "") for span in gold], colors))]
        items, verdicts = [], []
        for number, (name, sentence) in enumerate(zip(models, same, strict=True)):
            marks = [(span, kind) for kind, span in kinds_by_model[number] if kind != "missed"]
            rows.append((name, _displacy(sentence.words, sorted(marks, key=lambda mark: mark[0].start), colors)))
            wrong = [f"{kind}: {span.label}" for kind, span in kinds_by_model[number] if kind != "correct"]
            verdicts.append((name, wrong))
            items += [
                [number, kind, label] for kind, span in kinds_by_model[number] for label in _labels_at(span, gold)
            ]
        yield {"number": index + 1, "rows": rows, "verdicts": verdicts, "items": items}


def _labels_at(span: Span, gold: Sequence[Span]) -> list[str]:
    """Returns the labels of an entity and of the gold ones it overlaps, so that either label finds a wrong type."""
    overlapping = {other.label for other in gold if other.start < span.end and span.start < other.end}
    return sorted({span.label, *overlapping})


def _displacy(words: Sequence[str], spans: Sequence[tuple[Span, str]], colors: Mapping[str, str]) -> Any:
    from markupsafe import Markup
    from spacy import displacy

    words = [" ".join(word.split()) for word in words]  # a line break within a token would break the line in the page
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    marks = [
        {
            "start": starts[span.start],
            "end": starts[span.end] - 1,
            "label": escape(span.label),  # displaCy escapes the text alone
            "params": {"verdict": f" {'✓' if kind == 'correct' else '✗'}" if kind else ""},
        }
        for span, kind in spans
    ]
    options = {"colors": {escape(label): color for label, color in colors.items()}, "template": _MARK}
    document = {"text": " ".join(words), "ents": marks, "title": None}
    return Markup(
        displacy.render(document, style="ent", manual=True, page=False, jupyter=False, options=options).strip()
    )
