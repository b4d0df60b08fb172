"""The predicted entities of labelled data, whose probabilities at any temperature can be told."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import torch
from allennlp.data import Instance
from allennlp.models.archival import Archive
from more_itertools import chunked

from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.evaluation.tagged_data import Progress, TaggedSentence, gold_tags, model_output, words_of
from roseq_allennlp.nn.temperature import ScoredSpans
from roseq_allennlp.training.scored_spans import scored_spans

_AT_A_TIME = 64  # sentences


class PredictedSpans(NamedTuple):
    """A batch's predicted entities, and its sentences, without probabilities."""

    scored: ScoredSpans
    sentences: list[TaggedSentence]

    def tagged(self, temperature: float) -> list[TaggedSentence]:
        """The sentences with the probabilities that they have at a temperature."""
        probabilities = iter(self.scored.probabilities(temperature).float().tolist())
        return [
            sentence._replace(probabilities={span: next(probabilities) for span in sentence.predicted_entities})
            for sentence in self.sentences
        ]


@torch.no_grad()  # what is made in inference mode could not be fitted to
def predicted_spans(
    archive: Archive, instances: Sequence[Instance], progress: Optional[Progress] = None
) -> list[PredictedSpans]:
    """Tags labelled instances with an archive's `Tagger`, those of similar length together."""
    model: Any = archive.model.eval()
    by_length = sorted(instances, key=lambda instance: len(words_of(instance)))
    parts = list(chunked(by_length, _AT_A_TIME))
    batches = []
    for part in progress(parts, "tagging") if progress else parts:
        output = model_output(model, archive.validation_dataset_reader, list(map(words_of, part)))
        gold = list(map(gold_tags, part))
        predicted = list(map(bioul_to_bioes, model._tag_strings(output["tags"], output["mask"])))
        sentences = [
            TaggedSentence(words_of(instance), true, tags, {})
            for instance, true, tags in zip(part, gold, predicted, strict=True)
        ]
        batches.append(PredictedSpans(scored_spans(model.crf, output, gold, predicted), sentences))
    return batches
