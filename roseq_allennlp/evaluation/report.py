"""A report on what taggers make of labelled data, as one HTML page that needs nothing else."""

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Union

from roseq_allennlp.data.tag_schemes import UNKNOWN
from roseq_allennlp.evaluation.breakdown import token_labels
from roseq_allennlp.evaluation.marked_sentences import marked_sentences
from roseq_allennlp.evaluation.report_sections import (
    Section,
    Training,
    breakdown_sections,
    confusion_section,
    distribution_section,
    errors_section,
    f1_by_label_section,
    overall_section,
    reliability_section,
)
from roseq_allennlp.evaluation.tagged_data import Models, TaggedSentence
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import Tags, entities


def training_of(words: Iterable[Sequence[str]], tags: Iterable[Tags]) -> Training:
    """Returns what a report needs of the training split, from the words and gold tags of each sentence."""
    tags = list(tags)
    forms = {
        tuple(sentence[span.start : span.end])
        for sentence, sentence_tags in zip(words, tags, strict=True)
        for span in entities(sentence_tags)
    }
    return Training(token_labels(tags), forms)


def render(models: Models, data: str, archives: Sequence[str], version: str, training: Union[Training, str]) -> str:
    """
    Renders a report as one HTML page.

    # Parameters

    models : `Mapping[str, Sequence[TaggedSentence]]`
        The tagged sentences of one tagger, or of two side by side.
    data : `str`
        The name of the tagged data.
    archives : `Sequence[str]`
        The path of each tagger's archive.
    version : `str`
        The version of this package.
    training : `Union[Training, str]`
        The training split, or the reason why it is unknown.

    # Returns

    `str`
        The page.
    """
    import jinja2

    sentences = next(iter(models.values()))
    in_data = token_labels(sentence.gold for sentence in sentences)
    unknown_tags = sum(sentence.gold.count(UNKNOWN) for sentence in sentences)
    in_training = training.labels if isinstance(training, Training) else None
    frequency = in_training or in_data
    everything = {*in_data, *(in_training or {}), *(label for model in models.values() for label in _predicted(model))}
    labels = sorted(everything, key=lambda label: (-frequency.get(label, 0), label))
    types = [label for label in labels if label != "O"]
    kinds = {name: _kinds(model) for name, model in models.items()}
    unknown = training if isinstance(training, str) else None
    sections = [
        overall_section(models),
        distribution_section(labels, in_training, in_data, unknown),
        f1_by_label_section(models, labels, frequency, "the training split" if in_training else "this data"),
        confusion_section(models, labels),
        *(
            [errors_section(kinds)]
            if error_kinds.AVAILABLE
            else [Section("Errors by kind", "They need Python 3.11 or later.")]
        ),
        reliability_section(models),
        *breakdown_sections(models, training),
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("roseq_allennlp.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html").render(
        title=f"{' and '.join(models)} on {data}",
        facts=[
            ("Data", data),
            ("Sentences", f"{len(sentences):,}"),
            (
                "Tokens",
                f"{sum(in_data.values()):,}" + (f", and {unknown_tags:,} of unknown tag" if unknown_tags else ""),
            ),
            ("Entities", f"{sum(len(sentence.gold_entities) for sentence in sentences):,}"),
            *(("Model", f"{name}: {archive}") for name, archive in zip(models, archives, strict=True)),
            ("Made", f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, roseq-allennlp {version}"),
        ],
        sections=sections,
        models=list(models),
        labels=types,
        kinds=[kind for kind in error_kinds.KINDS if error_kinds.AVAILABLE],
        sentences=list(marked_sentences(models, kinds, types)),
        total=len(sentences),
    )


def _predicted(sentences: Sequence[TaggedSentence]) -> "Counter[str]":
    return token_labels(sentence.predicted for sentence in sentences)


def _kinds(sentences: Sequence[TaggedSentence]) -> list[error_kinds.KindsOfSentence]:
    """Returns the kind of each entity; without nervaluate an entity is only `correct`, `wrong` or `missed`."""
    pairs = [(sentence.gold_entities, sentence.predicted_entities) for sentence in sentences]
    if error_kinds.AVAILABLE:
        return error_kinds.error_kinds(pairs)
    return [
        [("correct" if span in gold else "wrong", span) for span in predicted]
        + [("missed", span) for span in gold if span not in predicted]
        for gold, predicted in pairs
    ]
