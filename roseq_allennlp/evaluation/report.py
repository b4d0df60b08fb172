"""A report on what taggers make of labelled data, as one HTML page that needs nothing else."""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from roseq_allennlp.data.tag_schemes import UNKNOWN
from roseq_allennlp.evaluation.breakdown import token_labels
from roseq_allennlp.evaluation.marked_sentences import marked_sentences, select
from roseq_allennlp.evaluation.pages import Page, page
from roseq_allennlp.evaluation.report_sections import (
    Training,
    breakdown_sections,
    confusion_section,
    errors_section,
    overall_section,
    reliability_section,
    run_section,
    token_sections,
    types_section,
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


def render(
    models: Models,
    data: str,
    archives: Sequence[str],
    version: str,
    training: Union[Training, str],
    command: str = "",
    configs: Optional[Mapping[str, Mapping[str, Any]]] = None,
    uncalibrated: Optional[Models] = None,
    thresholds: Optional[Mapping[str, Mapping[str, float]]] = None,
) -> Page:
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
    command : `str`, optional (default = `""`)
        The command line that makes the report.
    configs : `Mapping[str, Mapping[str, Any]]`, optional (default = `None`)
        The config of each tagger.
    uncalibrated : `Mapping[str, Sequence[TaggedSentence]]`, optional (default = `None`)
        The tagged sentences of calibrated taggers with the probabilities that they had before.
    thresholds : `Mapping[str, Mapping[str, float]]`, optional (default = `None`)
        The least probability by type in the archive of each tagger.

    # Returns

    `Page`
        A `str`.
    """
    sentences = next(iter(models.values()))
    in_data = token_labels(sentence.gold for sentence in sentences)
    unknown_tags = sum(sentence.gold.count(UNKNOWN) for sentence in sentences)
    in_training = training.labels if isinstance(training, Training) else None
    frequency = in_training or in_data
    everything = {*in_data, *(in_training or {}), *(label for model in models.values() for label in _predicted(model))}
    labels = sorted(everything, key=lambda label: (-frequency.get(label, 0), -in_data[label], label))
    types = [label for label in labels if label != "O"]
    kinds = {name: _kinds(model) for name, model in models.items()}
    selection = select(models, kinds)
    made = f"Made {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC by roseq-allennlp {version}."
    return page(
        "report.html",
        title=f"{' and '.join(models)} on {data}",
        facts=[
            ("Data", data),
            (
                "Size",
                f"{len(sentences):,} sentences, {sum(in_data.values()):,} tokens,"
                + (f" and {unknown_tags:,} of unknown tag," if unknown_tags else "")
                + f" {sum(len(sentence.gold_entities) for sentence in sentences):,} entities",
            ),
            *(("Model", f"{name}: {archive}") for name, archive in zip(models, archives, strict=True)),
        ],
        before=[overall_section(models), types_section(models, types)],
        after=[
            errors_section(kinds),
            *breakdown_sections(models, training),
            reliability_section(models, uncalibrated, thresholds),
            confusion_section(models, labels),
            *token_sections(models, labels, in_training, in_data, training if isinstance(training, str) else None),
            run_section(made, command, configs or {}),
        ],
        models=list(models),
        types=types,
        kinds=error_kinds.KINDS if error_kinds.AVAILABLE else ("correct", "wrong", "missed"),
        sentences=marked_sentences(models, kinds, types, selection.indices),
        selection=selection,
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
