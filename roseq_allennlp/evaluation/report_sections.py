"""The sections of a report: each a note on what is shown and how it was computed, with its pictures and tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from roseq_allennlp.evaluation import breakdown
from roseq_allennlp.evaluation.bootstrap import SAMPLES, f1_interval, paired_test, sentence_counts
from roseq_allennlp.evaluation.breakdown import SurfaceForm
from roseq_allennlp.evaluation.calibration import expected_calibration_error, predicted_probabilities, reliability
from roseq_allennlp.evaluation.figures import bars, reliability_diagram
from roseq_allennlp.evaluation.tagged_data import Models, score_of
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import Counts, token_scores


class Training(NamedTuple):
    """What a report says of the training split: its tokens by label, and the surface forms of its entities."""

    labels: Mapping[str, int]
    surface_forms: set[SurfaceForm]


class Table(NamedTuple):
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """Words and numbers; a `Shaded` is a number with a background."""


class Shaded(NamedTuple):
    value: int
    share: float
    """In [0, 1]."""


class Section(NamedTuple):
    title: str
    note: str
    figures: Sequence[str] = ()
    tables: Sequence[Table] = ()


def overall_section(models: Models) -> Section:
    rows, counts = [], []
    for name, sentences in models.items():
        score = score_of(sentences)
        counts.append(sentence_counts(sentences))
        low, high = f1_interval(counts[-1])
        overall = score.overall
        rows.append([name, overall.precision, overall.recall, overall.f1, f"{low:.2f} to {high:.2f}", score.accuracy])
    note = (
        "Entities as conlleval counts them, in percent: type and both ends must be right. The interval is that of 95 % of"
        f" {SAMPLES:,} bootstrap samples of sentences."
    )
    if len(counts) == 2:
        found = paired_test(counts[0], counts[1])
        first, second = models
        note += (
            f" F1 of {second} less that of {first}: {found.difference:+.2f} ({found.interval.low:+.2f} to"
            f" {found.interval.high:+.2f}), p = {found.p_value:.4f} by paired bootstrap."
        )
    headers = ["model", "precision", "recall", "F1", "95 % interval", "token accuracy"]
    return Section("Overall", note, tables=[Table("Scores", headers, rows)])


def distribution_section(
    labels: Sequence[str], in_training: Optional[Mapping[str, int]], in_data: Mapping[str, int], unknown: Optional[str]
) -> Section:
    splits = {"this data": in_data} if in_training is None else {"training split": in_training, "this data": in_data}
    series = {name: [counts.get(label, 0) for label in labels] for name, counts in splits.items()}
    rows = []
    for place, label in enumerate(labels):
        row: list[Any] = [label]
        for values in series.values():
            row += [values[place], 100 * values[place] / max(sum(values), 1)]
        rows.append(row)
    headers = ["label", *(header for name in series for header in (f"tokens, {name}", "%"))]
    note = "Tokens of each label, on a logarithmic scale." + (f" Of the training split: {unknown}" if unknown else "")
    figure = bars("distribution", labels, series, "tokens", digits=0, log=True)
    return Section("Labels", note, [figure], [Table("Tokens by label", headers, rows)])


def f1_by_label_section(models: Models, labels: Sequence[str], frequency: Mapping[str, int], split: str) -> Section:
    tokens = {
        name: token_scores([s.gold for s in model], [s.predicted for s in model]) for name, model in models.items()
    }
    series = {name: [found.get(label, Counts()).f1 for label in labels] for name, found in tokens.items()}
    scores = {name: score_of(model).types for name, model in models.items()}
    shares = [100 * frequency.get(label, 0) / max(sum(frequency.values()), 1) for label in labels]
    rows = []
    for place, label in enumerate(labels):
        row: list[Any] = [label, shares[place]]
        for name in models:
            counts = scores[name].get(label, Counts())
            entity = ["", "", ""] if label == "O" else [counts.precision, counts.recall, counts.f1]
            row += [series[name][place], *entity]
        rows.append(row)
    columns = ("token F1", "precision", "recall", "F1")
    headers = ["label", "% of tokens", *(f"{column}{_of(name, models)}" for name in models for column in columns)]
    note = (
        "F1 of tokens in percent, by falling frequency of the label; below each label its share of the tokens of"
        f" {split}. O is for comparison only. The table has F1 of entities too."
    )
    names = [f"{label}\n{share:.2f} %" for label, share in zip(labels, shares)]
    return Section(
        "F1 by label", note, [bars("labels", names, series, "token F1, %")], [Table("Scores", headers, rows)]
    )


def confusion_section(models: Models, labels: Sequence[str]) -> Section:
    tables = []
    for name, sentences in models.items():
        matrix = breakdown.confusion(sentences, labels).tolist()
        rows = [
            [label, *(Shaded(value, value / max(sum(row), 1)) for value in row)] for label, row in zip(labels, matrix)
        ]
        tables.append(Table(f"{name}: gold labels in rows, predicted ones in columns", ["gold", *labels], rows))
    return Section(
        "Confusion of types", "Tokens; the stronger the shade, the larger the share of the row.", tables=tables
    )


def errors_section(kinds: Mapping[str, list[error_kinds.KindsOfSentence]]) -> Section:
    counts = {name: error_kinds.count_kinds(found) for name, found in kinds.items()}
    series = {name: list(found.values()) for name, found in counts.items()}
    rows = [[kind, *(found[kind] for found in counts.values())] for kind in error_kinds.KINDS]
    note = (
        "As nervaluate has them: each predicted entity is correct, overlaps a gold one with a wrong boundary, type or both,"
        " or is spurious; gold entities that none was matched with are missed."
    )
    table = Table("Entities", ["kind", *counts], rows)
    return Section("Errors by kind", note, [bars("kinds", error_kinds.KINDS, series, "entities", digits=0)], [table])


def reliability_section(models: Models) -> Section:
    bins = {name: reliability(predicted_probabilities(sentences)) for name, sentences in models.items()}
    rows = [
        [name, f"{each.low:.1f} to {each.high:.1f}", each.entities, each.mean_probability, each.share_correct]
        for name, found in bins.items()
        for each in found
    ]
    distances = ", ".join(f"{name} {100 * expected_calibration_error(found):.2f} %" for name, found in bins.items())
    note = (
        "The probability that the tagger gives an entity it predicts, against how often it is right, in ten bins."
        f" Expected calibration error: {distances}."
    )
    table = Table("Predicted entities", ["model", "bin", "entities", "mean probability", "share correct"], rows)
    return Section("Reliability of probabilities", note, [reliability_diagram("reliability", bins)], [table])


def breakdown_sections(models: Models, training: Union[Training, str]) -> list[Section]:
    ways = [
        (
            "F1 by entity length",
            "In tokens, of the gold or the predicted entity; gold entities in brackets.",
            breakdown.by_entity_length,
        ),
        ("F1 by sentence length", "In tokens; gold entities in brackets.", breakdown.by_sentence_length),
    ]
    title = "F1 of seen and unseen entities"
    if isinstance(training, Training):
        note = "Seen: an entity of the training split has the same words, of whatever type; gold entities in brackets."
        seen = training.surface_forms
        ways.append((title, note, lambda sentences: breakdown.by_surface_form(sentences, seen)))
    sections = []
    for number, (name, note, way) in enumerate(ways):
        found = {model: way(sentences) for model, sentences in models.items()}
        groups = list(next(iter(found.values())))
        series = {model: [_ratios(counts[group])[-1] for group in groups] for model, counts in found.items()}
        rows = [
            [group, next(iter(found.values()))[group].gold]
            + [value for counts in found.values() for value in _ratios(counts[group])]
            for group in groups
        ]
        columns = ("precision", "recall", "F1")
        headers = ["", "gold entities", *(f"{column}{_of(model, models)}" for model in models for column in columns)]
        labels = [f"{group} ({row[1]:,})" for group, row in zip(groups, rows)]
        figure = bars(f"breakdown{'abc'[number]}", labels, series, "F1 of entities, %")
        sections.append(Section(name, note, [figure], [Table("Scores", headers, rows)]))
    if isinstance(training, str):
        sections.append(Section(title, f"Not known: {training}"))
    return sections


def _ratios(counts: Counts) -> tuple[float, float, float]:
    """Precision, recall and F1; none (NaN) where there is nothing to find and nothing was found."""
    if not counts.gold and not counts.predicted:
        return math.nan, math.nan, math.nan
    return counts.precision, counts.recall, counts.f1


def _of(name: str, models: Models) -> str:
    return f", {name}" if len(models) > 1 else ""
