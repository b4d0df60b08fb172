"""A report on what taggers make of labelled data, as one HTML page that needs nothing else."""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple, Optional, Union

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation import breakdown, errors
from roseq_allennlp.evaluation.bootstrap import SAMPLES, f1_interval, paired_test, sentence_counts
from roseq_allennlp.evaluation.breakdown import SurfaceForm, token_labels
from roseq_allennlp.evaluation.calibration import expected_calibration_error, predicted_probabilities, reliability
from roseq_allennlp.evaluation.figures import bars, reliability_diagram
from roseq_allennlp.evaluation.scoring import Counts, Tags, entities, token_scores
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, score_of

Models = Mapping[str, Sequence[TaggedSentence]]
"""By name; all of the same sentences."""

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


def training_of(words: Iterable[Sequence[str]], tags: Iterable[Tags]) -> Training:
    """From the words and gold tags of each sentence."""
    tags = list(tags)
    forms = {
        tuple(sentence[span.start : span.end])
        for sentence, sentence_tags in zip(words, tags)
        for span in entities(sentence_tags)
    }
    return Training(token_labels(tags), forms)


def render(models: Models, data: str, archives: Sequence[str], version: str, training: Union[Training, str]) -> str:
    """
    # Parameters

    models : `Mapping[str, Sequence[TaggedSentence]]`
        One, or two side by side.
    data : `str`
        What was tagged, as its users call it.
    archives : `Sequence[str]`
        Of the models.
    version : `str`
        Of this package.
    training : `Union[Training, str]`
        Or why nothing is known of it.

    # Returns

    `str`
        The page.
    """
    import jinja2

    sentences = next(iter(models.values()))
    in_data = token_labels(sentence.gold for sentence in sentences)
    in_training = training.labels if isinstance(training, Training) else None
    frequency = in_training or in_data
    everything = {*in_data, *(in_training or {}), *(label for model in models.values() for label in _predicted(model))}
    labels = sorted(everything, key=lambda label: (-frequency.get(label, 0), label))
    types = [label for label in labels if label != "O"]
    kinds = {name: _kinds(model) for name, model in models.items()}
    unknown = training if isinstance(training, str) else None
    sections = [
        _overall(models),
        _distribution(labels, in_training, in_data, unknown),
        _f1_by_label(models, labels, frequency),
        _confusions(models, labels),
        *([_errors(kinds)] if errors.AVAILABLE else [Section("Errors by kind", "They need Python 3.11 or later.")]),
        _reliability(models),
        *_breakdowns(models, training),
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("roseq_allennlp.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        title=f"{' and '.join(models)} on {data}",
        facts=[
            ("Data", data),
            ("Sentences", f"{len(sentences):,}"),
            ("Tokens", f"{sum(in_data.values()):,}"),
            ("Entities", f"{sum(len(sentence.gold_entities) for sentence in sentences):,}"),
            *(("Model", f"{name}: {archive}") for name, archive in zip(models, archives)),
            ("Made", f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, roseq-allennlp {version}"),
        ],
        sections=sections,
        models=list(models),
        labels=types,
        kinds=[kind for kind in errors.KINDS if errors.AVAILABLE],
        sentences=list(_marked_sentences(models, kinds, types)),
        total=len(sentences),
    )


def _predicted(sentences: Sequence[TaggedSentence]) -> "Counter[str]":
    return token_labels(sentence.predicted for sentence in sentences)


def _kinds(sentences: Sequence[TaggedSentence]) -> list[errors.KindsOfSentence]:
    """Without nervaluate only whether an entity is correct."""
    pairs = [(sentence.gold_entities, sentence.predicted_entities) for sentence in sentences]
    if errors.AVAILABLE:
        return errors.error_kinds(pairs)
    return [
        [("correct" if span in gold else "wrong", span) for span in predicted]
        + [("missed", span) for span in gold if span not in predicted]
        for gold, predicted in pairs
    ]


def _overall(models: Models) -> Section:
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


def _distribution(
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


def _f1_by_label(models: Models, labels: Sequence[str], frequency: Mapping[str, int]) -> Section:
    tokens = {
        name: token_scores([s.gold for s in model], [s.predicted for s in model]) for name, model in models.items()
    }
    series = {name: [found.get(label, Counts()).f1 for label in labels] for name, found in tokens.items()}
    scores = {name: score_of(model).types for name, model in models.items()}
    rows = []
    for place, label in enumerate(labels):
        row: list[Any] = [label, 100 * frequency.get(label, 0) / max(sum(frequency.values()), 1)]
        for name in models:
            counts = scores[name].get(label, Counts())
            entity = ["", "", ""] if label == "O" else [counts.precision, counts.recall, counts.f1]
            row += [series[name][place], *entity]
        rows.append(row)
    columns = ("token F1", "precision", "recall", "F1")
    headers = ["label", "% of tokens", *(f"{column}{_of(name, models)}" for name in models for column in columns)]
    note = (
        "The picture has F1 of tokens in percent, by falling frequency of the label, O for comparison only. The table has"
        " that of entities too."
    )
    return Section(
        "F1 by label", note, [bars("labels", labels, series, "token F1, %")], [Table("Scores", headers, rows)]
    )


def _confusions(models: Models, labels: Sequence[str]) -> Section:
    tables = []
    for name, sentences in models.items():
        matrix = breakdown.confusion(sentences, labels).tolist()
        rows = [
            [label, *(Shaded(value, value / max(sum(row), 1)) for value in row)] for label, row in zip(labels, matrix)
        ]
        tables.append(Table(f"{name}: gold labels in rows, predicted ones in columns", ["gold", *labels], rows))
    return Section("Confusion of types", "Tokens; the darker, the larger the share of the row.", tables=tables)


def _errors(kinds: Mapping[str, list[errors.KindsOfSentence]]) -> Section:
    counts = {name: errors.count_kinds(found) for name, found in kinds.items()}
    series = {name: list(found.values()) for name, found in counts.items()}
    rows = [[kind, *(found[kind] for found in counts.values())] for kind in errors.KINDS]
    note = (
        "As nervaluate has them: each predicted entity is correct, overlaps a gold one with a wrong boundary, type or both,"
        " or is spurious; gold entities that none was matched with are missed."
    )
    table = Table("Entities", ["kind", *counts], rows)
    return Section("Errors by kind", note, [bars("kinds", errors.KINDS, series, "entities", digits=0)], [table])


def _reliability(models: Models) -> Section:
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


def _breakdowns(models: Models, training: Union[Training, str]) -> list[Section]:
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
        series = {model: [counts[group].f1 for group in groups] for model, counts in found.items()}
        rows = [
            [group, next(iter(found.values()))[group].gold]
            + [
                value
                for counts in found.values()
                for value in (counts[group].precision, counts[group].recall, counts[group].f1)
            ]
            for group in groups
        ]
        columns = ("precision", "recall", "F1")
        headers = ["", "gold entities", *(f"{column}{_of(model, models)}" for model in models for column in columns)]
        labels = [f"{group} ({row[1]})" for group, row in zip(groups, rows)]
        figure = bars(f"breakdown{'abc'[number]}", labels, series, "F1 of entities, %")
        sections.append(Section(name, note, [figure], [Table("Scores", headers, rows)]))
    if isinstance(training, str):
        sections.append(Section(title, f"Not known: {training}"))
    return sections


def _of(name: str, models: Models) -> str:
    return f", {name}" if len(models) > 1 else ""


def _marked_sentences(
    models: Models, kinds: Mapping[str, list[errors.KindsOfSentence]], types: Sequence[str]
) -> Iterable[dict[str, Any]]:
    """Of each sentence with an entity: its number, its rows of marked text, and what the filters look at."""
    colors = {label: _PASTELS[place % len(_PASTELS)] for place, label in enumerate(types)}
    for index, same in enumerate(zip(*models.values())):
        gold = same[0].gold_entities
        found = [kinds[name][index] for name in models]
        if not gold and not any(found):
            continue
        rows = [("gold", _displacy(same[0].words, [(span, "") for span in gold], colors))]
        items, verdicts = [], []
        for number, (name, sentence) in enumerate(zip(models, same)):
            marks = [(span, kind) for kind, span in found[number] if kind != "missed"]
            rows.append((name, _displacy(sentence.words, sorted(marks, key=lambda mark: mark[0].start), colors)))
            wrong = [f"{kind}: {span.label}" for kind, span in found[number] if kind != "correct"]
            verdicts.append((name, wrong))
            items += [[number, kind, label] for kind, span in found[number] for label in _labels_at(span, gold)]
        yield {"number": index + 1, "rows": rows, "verdicts": verdicts, "items": items}


def _labels_at(span: Span, gold: Sequence[Span]) -> set[str]:
    """Of an entity and of the gold ones it overlaps, so that a wrong type is found by either."""
    return {span.label, *(other.label for other in gold if other.start < span.end and span.start < other.end)}


def _displacy(words: Sequence[str], spans: Sequence[tuple[Span, str]], colors: Mapping[str, str]) -> Any:
    from markupsafe import Markup
    from spacy import displacy

    words = [" ".join(word.split()) for word in words]  # a line's end within a token would be one in the page
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
