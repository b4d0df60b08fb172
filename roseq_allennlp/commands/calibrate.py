import argparse
import math
from collections.abc import Sequence

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.console import Console
from roseq_allennlp.evaluation.calibration import (
    above,
    brier_score,
    expected_calibration_error,
    log_likelihood,
    precision_recall,
    predicted_probabilities,
    reliability,
    thresholds,
)
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, read_labelled
from roseq_allennlp.evaluation.temperature import predicted_spans
from roseq_allennlp.models.archive import load_archive, with_settings
from roseq_allennlp.models.description import types_of
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.nn.temperature import fit_temperature


def run(args: argparse.Namespace, console: Console) -> int:
    """Fits the temperature of a tagger's probabilities, and finds thresholds for a precision."""
    target = args.target_precision
    if target is not None and not 0 < target <= 1:
        raise ConfigurationError(f"--target-precision must be above 0 and at most 1, such as 0.9; got {target:g}.")
    output = prepared(args.output)
    archive = load_archive(args.archive, args.cuda_device)
    if not isinstance(archive.model, Tagger):
        raise ConfigurationError(
            f"{args.archive}: its model is a {type(archive.model).__name__}; calibration is for label_aware_crf_tagger and"
            " tagger_ensemble."
        )
    batches = predicted_spans(archive, read_labelled(archive.validation_dataset_reader, args.data), console.progress)
    try:
        temperature = fit_temperature([batch.scored for batch in batches])
    except ValueError as error:
        raise ConfigurationError(f"{args.data}: {error}") from error
    tagged = [sentence for batch in batches for sentence in batch.tagged(temperature)]
    curves = precision_recall(tagged)
    least = {}
    if target is not None:  # a type that is never predicted here has no probability that is known to do
        types = types_of(archive.model.vocab.get_token_to_index_vocabulary("labels"))
        least = {**dict.fromkeys(types, 1.0), **thresholds(curves, target)}
    with_settings(args.archive, output, {"temperature": temperature, "thresholds": least})

    rows = []
    for value in (archive.model.crf.temperature, temperature):
        sentences = [sentence for batch in batches for sentence in batch.tagged(value)]
        bins = reliability(predicted_probabilities(sentences))
        scores = brier_score(sentences).written(100), log_likelihood(sentences).written()
        rows.append([f"{value:.3f}", 100 * expected_calibration_error(bins), *scores])
    headers = ["temperature", "calibration error, %", "Brier score, % (95 %)", "log-likelihood (95 %)"]
    console.table(headers, rows, f"Predicted entities of {args.data}, before and after")
    if target is not None:
        title = f"The least probability by type for a precision of {100 * target:g} %"
        console.table(["type", "probability", "entities", "precision", "recall"], _rows(tagged, least), title)
    console.print(f"The archive is {args.output}")
    return 0


def _rows(sentences: Sequence[TaggedSentence], least: dict[str, float]) -> list[list[object]]:
    """What the thresholds leave: by type, and overall."""
    rows: list[list[object]] = []
    for label in least:
        counts = above(sentences, {**dict.fromkeys(least, math.inf), label: least[label]})  # the other types left out
        gold = sum(span.label == label for sentence in sentences for span in sentence.gold_entities)
        counts = counts._replace(gold=gold)
        rows.append([label, f"{least[label]:.3f}", counts.predicted, counts.precision, counts.recall])
    counts = above(sentences, least)
    return [*rows, ["overall", "", counts.predicted, counts.precision, counts.recall]]
