"""The sections of a report: each a note on what is shown and how it was computed, with its pictures and tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from roseq_allennlp.evaluation import breakdown
from roseq_allennlp.evaluation.bootstrap import SAMPLES, sentence_counts
from roseq_allennlp.evaluation.breakdown import SurfaceForm
from roseq_allennlp.evaluation.calibration import expected_calibration_error, predicted_probabilities, reliability
from roseq_allennlp.evaluation.figures import bars, reliability_diagram
from roseq_allennlp.evaluation.score_rows import HEADERS, paired_test_sentence, score_row
from roseq_allennlp.evaluation.tagged_data import Models, score_of
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import Counts, token_scores


class Training(NamedTuple):
    """What a report needs of the training split: its tokens by label, and the surface forms of its entities."""

    labels: Mapping[str, int]
    surface_forms: set[SurfaceForm]


class Table(NamedTuple):
    """A table of a section; `rows` have a cell for each of `headers`."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """Words and numbers; a `Shaded` is a number with a background."""


class Shaded(NamedTuple):
    """A cell with a count and its share of the row, by which the page shades it."""

    value: int
    share: float
    """In [0, 1]."""


class Section(NamedTuple):
    """A part of the page: a heading, a remark, pictures as SVG, and tables."""

    title: str
    note: str
    figures: Sequence[str] = ()
    tables: Sequence[Table] = ()


def overall_section(models: Models) -> Section:
    """Precision, recall, F1 with its interval, and token accuracy of each model."""
    counts = {name: sentence_counts(sentences) for name, sentences in models.items()}
    rows = [[*score_row(name, counts[name]), score_of(sentences).accuracy] for name, sentences in models.items()]
    note = (
        "Entities as conlleval counts them, in percent: type and both ends must be right. The interval holds 95 % of"
        f" {SAMPLES:,} bootstrap samples of sentences."
    )
    if len(counts) == 2:
        first, second = counts
        note += f" {paired_test_sentence(first, second, counts[first], counts[second])} by paired bootstrap."
    return Section("Overall", note, tables=[Table("Scores", [*HEADERS, "token accuracy"], rows)])


def distribution_section(
    labels: Sequence[str], in_training: Optional[Mapping[str, int]], in_data: Mapping[str, int], unknown: Optional[str]
) -> Section:
    """Share of the tokens that each label has, in training and in the data."""
    splits = {"this data": in_data} if in_training is None else {"training split": in_training, "this data": in_data}
    series = {name: [counts.get(label, 0) for label in labels] for name, counts in splits.items()}
    rows = []
    for index, label in enumerate(labels):
        row: list[Any] = [label]
        for values in series.values():
            row += [values[index], 100 * values[index] / max(sum(values), 1)]
        rows.append(row)
    headers = ["label", *(header for name in series for header in (f"tokens, {name}", "%"))]
    note = "Tokens of each label, on a logarithmic scale." + (
        f" The training split is unknown: {unknown}" if unknown else ""
    )
    figure = bars("distribution", labels, series, "tokens", digits=0, log=True)
    return Section("Labels", note, [figure], [Table("Tokens by label", headers, rows)])


def f1_by_label_section(models: Models, labels: Sequence[str], frequency: Mapping[str, int], split: str) -> Section:
    """Token F1 by label and entity F1 by type, of each model."""
    tokens = {
        name: token_scores([s.gold for s in model], [s.predicted for s in model]) for name, model in models.items()
    }
    series = {name: [counts.get(label, Counts()).f1 for label in labels] for name, counts in tokens.items()}
    scores = {name: score_of(model).types for name, model in models.items()}
    shares = [100 * frequency.get(label, 0) / max(sum(frequency.values()), 1) for label in labels]
    rows = []
    for index, label in enumerate(labels):
        row: list[Any] = [label, shares[index]]
        for name in models:
            counts = scores[name].get(label, Counts())
            entity = ["", "", ""] if label == "O" else [counts.precision, counts.recall, counts.f1]
            row += [series[name][index], *entity]
        rows.append(row)
    columns = ("token F1", "precision", "recall", "F1")
    headers = ["label", "% of tokens", *(f"{column}{_of(name, models)}" for name in models for column in columns)]
    note = (
        "F1 of tokens in percent, by falling frequency of the label; below each label its share of the tokens of"
        f" {split}. O is for comparison only. The table has F1 of entities too."
    )
    names = [f"{label}\n{share:.2f} %" for label, share in zip(labels, shares, strict=True)]
    return Section(
        "F1 by label", note, [bars("labels", names, series, "token F1, %")], [Table("Scores", headers, rows)]
    )


def confusion_section(models: Models, labels: Sequence[str]) -> Section:
    """Tokens by gold and predicted label, a table for each model."""
    tables = []
    for name, sentences in models.items():
        matrix = breakdown.confusion(sentences, labels).tolist()
        rows = [
            [label, *(Shaded(value, value / max(sum(row), 1)) for value in row)]
            for label, row in zip(labels, matrix, strict=True)
        ]
        tables.append(Table(f"{name}: gold labels in rows, predicted ones in columns", ["gold", *labels], rows))
    return Section(
        "Confusion of types", "Tokens; the stronger the shade, the larger the share of the row.", tables=tables
    )


def errors_section(kinds: Mapping[str, list[error_kinds.KindsOfSentence]]) -> Section:
    """Errors by kind, see `scoring.error_kinds`."""
    counts = {name: error_kinds.count_kinds(sentences) for name, sentences in kinds.items()}
    series = {name: list(by_kind.values()) for name, by_kind in counts.items()}
    rows = [[kind, *(by_kind[kind] for by_kind in counts.values())] for kind in error_kinds.KINDS]
    note = (
        "Errors as nervaluate counts them: a predicted entity is correct, overlaps a gold one with a wrong boundary, type or"
        " both, or is spurious; a gold entity is missed if no predicted one is matched with it."
    )
    table = Table("Entities", ["kind", *counts], rows)
    return Section("Errors by kind", note, [bars("kinds", error_kinds.KINDS, series, "entities", digits=0)], [table])


def reliability_section(models: Models) -> Section:
    """Calibration of the entities' probabilities, with the expected calibration error."""
    bins = {name: reliability(predicted_probabilities(sentences)) for name, sentences in models.items()}
    rows = [
        [name, f"{part.low:.1f} to {part.high:.1f}", part.entities, part.mean_probability, part.share_correct]
        for name, parts in bins.items()
        for part in parts
    ]
    distances = ", ".join(f"{name} {100 * expected_calibration_error(parts):.2f} %" for name, parts in bins.items())
    note = (
        "The probability of predicted entities, against the share of them that is correct, in ten bins."
        f" Expected calibration error: {distances}."
    )
    table = Table("Predicted entities", ["model", "bin", "entities", "mean probability", "share correct"], rows)
    return Section("Reliability of probabilities", note, [reliability_diagram("reliability", bins)], [table])


def breakdown_sections(models: Models, training: Union[Training, str]) -> list[Section]:
    """F1 by length of entity and sentence, and for entities that training has or lacks."""
    ways = [
        (
            "F1 by entity length",
            "Length in tokens, of the gold or the predicted entity; gold entities in brackets.",
            breakdown.by_entity_length,
        ),
        (
            "F1 by sentence length",
            "Length in tokens; gold entities in brackets.",
            breakdown.by_sentence_length,
        ),
    ]
    title = "F1 of seen and unseen entities"
    if isinstance(training, Training):
        note = "Seen: the training split has an entity with the same words, of any type; gold entities in brackets."
        seen = training.surface_forms
        ways.append((title, note, lambda sentences: breakdown.by_surface_form(sentences, seen)))
    sections = []
    for number, (name, note, way) in enumerate(ways):
        scores = {model: way(sentences) for model, sentences in models.items()}
        groups = list(next(iter(scores.values())))
        series = {model: [_ratios(counts[group])[-1] for group in groups] for model, counts in scores.items()}
        rows = [
            [group, next(iter(scores.values()))[group].gold]
            + [value for counts in scores.values() for value in _ratios(counts[group])]
            for group in groups
        ]
        columns = ("precision", "recall", "F1")
        headers = ["", "gold entities", *(f"{column}{_of(model, models)}" for model in models for column in columns)]
        labels = [f"{group} ({row[1]:,})" for group, row in zip(groups, rows, strict=True)]
        figure = bars(f"breakdown{'abc'[number]}", labels, series, "F1 of entities, %")
        sections.append(Section(name, note, [figure], [Table("Scores", headers, rows)]))
    if isinstance(training, str):
        sections.append(Section(title, f"Not known: {training}"))
    return sections


def _ratios(counts: Counts) -> tuple[float, float, float]:
    """Returns precision, recall and F1; NaN if there are neither gold nor predicted entities."""
    if not counts.gold and not counts.predicted:
        return math.nan, math.nan, math.nan
    return counts.precision, counts.recall, counts.f1


def _of(name: str, models: Models) -> str:
    return f", {name}" if len(models) > 1 else ""
