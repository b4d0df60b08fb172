"""The sections of a report: each a note on what is shown and how it was computed, with its pictures and tables."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from roseq_allennlp.evaluation import breakdown
from roseq_allennlp.evaluation.bootstrap import SAMPLES, sentence_counts
from roseq_allennlp.evaluation.breakdown import SurfaceForm
from roseq_allennlp.evaluation.calibration import (
    brier_score,
    expected_calibration_error,
    log_likelihood,
    precision_recall,
    predicted_probabilities,
    reliability,
)
from roseq_allennlp.evaluation.figures import Bars, precision_recall_diagram, reliability_diagram
from roseq_allennlp.evaluation.plots import LOOKS
from roseq_allennlp.evaluation.score_rows import HEADERS, paired_test_sentence, score_row
from roseq_allennlp.evaluation.tagged_data import Models, TaggedSentence, score_of
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import Counts, token_scores

_MOST_LABELS = 40  # of a picture and of the confusion table
_MOST_SETTINGS = 500
_LONGEST_SETTING = 300  # characters


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
    block: int = 1
    """How many rows in turn have the same first cell; it is shown once."""
    folded: bool = False
    """Whether it is closed at first."""
    stacked: bool = False
    """Whether its rows become lists where the page is narrow, for tables of many columns or long texts."""


class Shaded(NamedTuple):
    """A cell with a count and its share of the row, by which the page shades it."""

    value: int
    share: float
    """In [0, 1]."""


class Section(NamedTuple):
    """A part of the page: a heading, a remark, a command, pictures and tables."""

    title: str
    note: str
    figures: Sequence[Union[Bars, str]] = ()
    """A text is SVG."""
    tables: Sequence[Table] = ()
    command: str = ""

    @property
    def id(self) -> str:
        """What links to it name."""
        return re.sub(r"\W+", "-", self.title.lower())


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
    return Section("Overall", note, tables=[Table("Scores", [*HEADERS, "token accuracy"], rows, stacked=True)])


def types_section(models: Models, types: Sequence[str]) -> Section:
    """Precision, recall and F1 of entities by type, of each model."""
    scores = {name: score_of(sentences).types for name, sentences in models.items()}
    in_data = [label for label in types if any(label in counts for counts in scores.values())]
    note = "Entities in percent, by falling frequency of the type; below each type its gold entities."
    return _scores_section("F1 by type", note, "type", in_data, scores)


def breakdown_sections(models: Models, training: Union[Training, str]) -> list[Section]:
    """F1 by length of entity and sentence, and for entities that training has or lacks."""
    title = "F1 of seen and unseen entities"
    sections = []
    if isinstance(training, Training):
        note = "Seen: the training split has an entity with the same words, of any type."
        forms = training.surface_forms
        scores = {name: breakdown.by_surface_form(sentences, forms) for name, sentences in models.items()}
        sections.append(_scores_section(title, note, "entities", list(next(iter(scores.values()))), scores))
    else:
        sections.append(Section(title, f"Not known: {training}"))
    for title, note, way in (
        ("F1 by entity length", "In tokens, of the gold or the predicted entity.", breakdown.by_entity_length),
        ("F1 by sentence length", "In tokens.", breakdown.by_sentence_length),
    ):
        scores = {name: way(sentences) for name, sentences in models.items()}
        sections.append(_scores_section(title, note, "length", list(next(iter(scores.values()))), scores))
    return sections


def errors_section(kinds: Mapping[str, list[error_kinds.KindsOfSentence]]) -> Section:
    """Errors by kind, see `scoring.error_kinds`."""
    if not error_kinds.AVAILABLE:
        return Section("Errors by kind", "They need Python 3.11 or later.")
    counts = {name: error_kinds.count_kinds(sentences) for name, sentences in kinds.items()}
    series = {name: list(by_kind.values()) for name, by_kind in counts.items()}
    rows = [[kind, *(by_kind[kind] for by_kind in counts.values())] for kind in error_kinds.KINDS]
    note = (
        "Errors as nervaluate counts them: a predicted entity is correct, overlaps a gold one with a wrong boundary, type or"
        " both, or is spurious; a gold entity is missed if no predicted one is matched with it."
    )
    figure = Bars("Entities", [(kind, "") for kind in error_kinds.KINDS], series, "count")
    return Section("Errors by kind", note, [figure], [Table("Entities by kind", ["kind", *counts], rows)])


def reliability_section(
    models: Models,
    uncalibrated: Optional[Models] = None,
    thresholds: Optional[Mapping[str, Mapping[str, float]]] = None,
) -> Section:
    """
    Calibration of the entities' probabilities, also as it was before `roseq calibrate`, and precision and recall by type as
    the least probability rises, with the point at `thresholds`.
    """
    shown = {name: sentences for model in models for name, sentences in _before_and_after(model, models, uncalibrated)}
    bins = {name: reliability(predicted_probabilities(sentences)) for name, sentences in shown.items()}
    rows = [
        [name, f"{part.low:.3f}–{part.high:.3f}", part.entities, part.mean_probability, part.share_correct]
        for name, parts in bins.items()
        for part in parts
    ]
    distances = ", ".join(f"{name} {100 * expected_calibration_error(parts):.2f} %" for name, parts in bins.items())
    note = (
        "The probability of predicted entities, against the share of them that is correct, in ten bins of about as many"
        f" entities each. Expected calibration error: {distances}. The Brier score is the mean square of the distance between"
        " probability and truth, the log-likelihood the mean logarithm of the probability of what is true; both with 95 %"
        " bootstrap intervals over sentences."
    )
    headers = ["model", "bin", "entities", "mean probability", "share correct"]
    table = Table("Predicted entities by probability", headers, rows, folded=True)
    scores = [
        [name, brier_score(sentences).written(100), log_likelihood(sentences).written()]
        for name, sentences in shown.items()
    ]
    tables = [Table("Scores of probabilities", ["model", "Brier score, %", "log-likelihood"], scores), table]
    figures = [reliability_diagram("reliability", bins)]
    points = []
    for number, (name, sentences) in enumerate(models.items()):
        curves = precision_recall(sentences)
        by_support = sorted(curves, key=lambda label: -len(curves[label]))[: len(LOOKS)]
        least = (thresholds or {}).get(name, {})
        chosen = {
            label: [point for point in curve if point.threshold >= least[label]][-1:]
            for label, curve in curves.items()
            if label in least
        }
        named = {label: curves[label] for label in sorted(by_support)}
        figures.append(precision_recall_diagram("pr" + "ab"[number], name, named, chosen))
        points += [
            [name, label, f"{least[label]:.3f}", *(100 * value for value in ends[0][1:])]
            if ends
            else [name, label, f"{least[label]:.3f}", math.nan, 0.0]
            for label, ends in chosen.items()
        ]
    if points:
        headers = ["model", "type", "least probability", "precision", "recall"]
        tables.insert(1, Table("Thresholds in the archive, and what they give here", headers, points))
    return Section("Reliability of probabilities", note, figures, tables)


def _before_and_after(
    name: str, models: Models, uncalibrated: Optional[Models]
) -> list[tuple[str, Sequence[TaggedSentence]]]:
    if not uncalibrated or name not in uncalibrated:
        return [(name, models[name])]
    return [(f"{name} before calibration", uncalibrated[name]), (name, models[name])]


def confusion_section(models: Models, labels: Sequence[str]) -> Section:
    """Tokens by gold and predicted label, a table for each model."""
    note = "Tokens; the stronger the shade, the larger the share of the row."
    if len(labels) > _MOST_LABELS:
        labels = [*labels[: _MOST_LABELS - 1], "all others"]
        note += f" The {_MOST_LABELS - 1} most frequent labels have a row of their own."
    tables = []
    for name, sentences in models.items():
        matrix = breakdown.confusion(sentences, labels).tolist()
        rows = [
            [label, *(Shaded(value, value / max(sum(row), 1)) for value in row)]
            for label, row in zip(labels, matrix, strict=True)
        ]
        tables.append(
            Table(f"{name}: gold labels in rows, predicted ones in columns", ["gold", *labels], rows, stacked=True)
        )
    return Section("Confusion of types", note, tables=tables)


def token_sections(
    models: Models,
    labels: Sequence[str],
    in_training: Optional[Mapping[str, int]],
    in_data: Mapping[str, int],
    unknown: Optional[str],
) -> list[Section]:
    """F1 of tokens by label, O included, and the share of the tokens that each label has, in training and in the data."""
    tokens = {
        name: token_scores([s.gold for s in model], [s.predicted for s in model]) for name, model in models.items()
    }
    f1s = {
        name: [counts[label].f1 if label in counts else math.nan for label in labels] for name, counts in tokens.items()
    }
    splits = {"this data": in_data} if in_training is None else {"training split": in_training, "this data": in_data}
    series = {name: [counts.get(label, 0) for label in labels] for name, counts in splits.items()}
    shares = {name: [100 * value / max(sum(values), 1) for value in values] for name, values in series.items()}
    below = next(iter(shares))
    named = [(label, f"{share:.2f} %") for label, share in zip(labels, shares[below], strict=True)]
    note = (
        "In percent, by falling frequency of the label; below each label its share of the tokens of"
        f" {'the training split' if in_training else 'this data'}. O is for comparison only."
    )
    headers = ["label", *(f"F1{_of(name, models)}" for name in models)]
    f1_section = Section(
        "F1 of tokens by label",
        note,
        [_bars("F1 of tokens, %", named, f1s)],
        [Table("F1 of tokens", headers, _rows(labels, *f1s.values()), folded=True)],
    )
    note = "Tokens of each label, on a logarithmic scale." + (
        f" The training split is unknown: {unknown}" if unknown else ""
    )
    headers = ["label", *(header for name in series for header in (name, "%"))]
    rows = _rows(labels, *(values for name in series for values in (series[name], shares[name])))
    figure = _bars("Tokens", [(label, "") for label in labels], series, "log")
    return [f1_section, Section("Labels", note, [figure], [Table("Tokens by label", headers, rows, folded=True)])]


def run_section(made: str, command: str, configs: Mapping[str, Mapping[str, Any]]) -> Section:
    """How the report and its models were made: the command, and the settings of each model by their dotted keys."""
    note = made
    settings = {name: dict(_flat(config)) for name, config in configs.items()}
    keys = list(dict.fromkeys(key for flat in settings.values() for key in flat))
    if len(keys) > _MOST_SETTINGS:
        note += f" The table has the first {_MOST_SETTINGS} of {len(keys):,} settings."
    rows = [[key, *(flat.get(key, "not set") for flat in settings.values())] for key in keys[:_MOST_SETTINGS]]
    headers = ["setting", *(settings if len(settings) > 1 else ["value"])]
    tables = [Table("All settings of the training run", headers, rows, folded=True, stacked=True)]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    if differing:
        tables.insert(0, Table("Settings that differ", headers, differing, stacked=True))
    return Section("How this was made", note, tables=tables if rows else [], command=command)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields the settings of a config by dotted keys; a part of a list has its number."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        inner = list(value.items())
    elif isinstance(value, list) and any(isinstance(part, (Mapping, list)) for part in value):
        inner = list(enumerate(value))
    for name, part in inner:
        yield from _flat(part, f"{key}.{name}" if key else str(name))
    if not inner:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        yield key, text if len(text) <= _LONGEST_SETTING else f"{text[: _LONGEST_SETTING - 1]}…"


def _scores_section(
    title: str, note: str, header: str, groups: Sequence[str], scores: Mapping[str, Mapping[str, Counts]]
) -> Section:
    """A picture of F1 by group, and precision, recall and F1 in a table that stands open, of each model."""
    counts = {name: [by_group.get(group, Counts()) for group in groups] for name, by_group in scores.items()}
    gold = [one.gold for one in next(iter(counts.values()))]
    ratios = {name: list(map(_ratios, of_model)) for name, of_model in counts.items()}
    named = [(group, f"{number:,} gold") for group, number in zip(groups, gold, strict=True)]
    figure = _bars(
        "F1 of entities, %", named, {name: [f1 for _, _, f1 in of_model] for name, of_model in ratios.items()}
    )
    several = len(scores) > 1
    rows = [
        [group, *([name] if several else []), gold[index], *ratios[name][index]]
        for index, group in enumerate(groups)
        for name in scores
    ]
    headers = [header, *(["model"] if several else []), "gold", "precision", "recall", "F1"]
    return Section(title, note, [figure], [Table("Scores of entities", headers, rows, block=len(scores))])


def _bars(
    caption: str, labels: Sequence[tuple[str, str]], series: Mapping[str, Sequence[float]], scale: Any = "percent"
) -> Bars:
    """With the first labels only, where there are very many."""
    if len(labels) > _MOST_LABELS:
        caption += f", the {_MOST_LABELS} most frequent of {len(labels):,}; the table has all"
    cut = {name: values[:_MOST_LABELS] for name, values in series.items()}
    return Bars(caption, labels[:_MOST_LABELS], cut, scale)


def _rows(*columns: Sequence[Any]) -> list[Sequence[Any]]:
    return list(zip(*columns, strict=True))


def _ratios(counts: Counts) -> tuple[float, float, float]:
    """Returns precision, recall and F1; NaN if there are neither gold nor predicted entities."""
    if not counts.gold and not counts.predicted:
        return math.nan, math.nan, math.nan
    return counts.precision, counts.recall, counts.f1


def _of(name: str, models: Models) -> str:
    return f", {name}" if len(models) > 1 else ""
