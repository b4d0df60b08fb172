"""The temperature of a tagger's probabilities, fitted to development data."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance
from allennlp.models.archival import Archive
from more_itertools import chunked

from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.evaluation.tagged_data import Progress, TaggedSentence, gold_tags, model_output, words_of
from roseq_allennlp.nn.forward_backward import Potentials, span_log_likelihood, span_probabilities, tempered

_AT_A_TIME = 64  # sentences
_STEPS = 50


class PredictedSpans(NamedTuple):
    """
    What the probabilities of a batch's predicted entities are computed from, on the CPU.

    potentials : `Potentials`
        Of decoding, in float64, before any temperature.
    mask, tags : `(B, T)`
        The real tokens, and the best path.
    spans : `(S, 3)` int64
        Sentence, start and end (exclusive) of each predicted entity.
    is_right : `(S,)` bool
    sentences : `List[TaggedSentence]`
        Without probabilities.
    """

    potentials: Potentials
    mask: torch.Tensor
    tags: torch.Tensor
    spans: torch.Tensor
    is_right: torch.Tensor
    sentences: list[TaggedSentence]

    def tagged(self, temperature: float) -> list[TaggedSentence]:
        """The sentences with the probabilities that they have at a temperature."""
        probabilities: Iterator[float] = iter(())
        if len(self.spans):
            potentials = tempered(self.potentials, temperature)
            probabilities = iter(span_probabilities(potentials, self.mask, self.tags, self.spans).float().tolist())
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
        potentials = Potentials(
            *(scores.cpu() for scores in model.crf.potentials(output["emissions"].double(), constrained=True))
        )
        mask, tags = output["mask"].cpu(), output["tags"].cpu()
        sentences = [
            TaggedSentence(words_of(instance), gold_tags(instance), bioul_to_bioes(path), {})
            for instance, path in zip(part, model._tag_strings(tags, mask), strict=True)
        ]
        predicted = [
            (row, span, span in set(sentence.gold_entities))
            for row, sentence in enumerate(sentences)
            for span in sentence.predicted_entities
        ]
        spans = torch.tensor([(row, span.start, span.end) for row, span, _ in predicted]).reshape(-1, 3).long()
        is_right = torch.tensor([right for _, _, right in predicted], dtype=torch.bool)
        batches.append(PredictedSpans(potentials, mask, tags, spans, is_right, sentences))
    return batches


def fit_temperature(batches: Sequence[PredictedSpans]) -> float:
    """
    Returns the temperature at which it is most likely that, of the predicted entities, those are right that are: the sum of
    log p of the right ones and log(1 − p) of the others is largest, where p is the exact probability of the span. By L-BFGS
    over its logarithm, in float64.

    # Raises

    `ConfigurationError`: no entity is predicted, or all are right, or none is: then no temperature is the best.
    """
    batches = [batch for batch in batches if len(batch.spans)]
    total, right = (sum(int(values) for values in counts) for counts in _counts(batches))
    if right in (0, total):
        what = "no entity" if not total else f"{total:,} entities, all of them {'right' if right else 'wrong'}"
        raise ConfigurationError(
            f"on these data the tagger predicts {what}, so no temperature can be fitted: it takes right and wrong ones. Give"
            " more development data."
        )
    logarithm = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logarithm], max_iter=_STEPS, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.zeros((), dtype=torch.float64)
        for potentials, mask, tags, spans, is_right, _ in batches:
            scores = tempered(potentials, logarithm.exp())
            part = -span_log_likelihood(scores, mask, tags, spans, is_right) / total
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return float(logarithm.detach().exp())


def _counts(batches: Sequence[PredictedSpans]) -> tuple[list[int], list[int]]:
    return [len(batch.spans) for batch in batches], [int(batch.is_right.sum()) for batch in batches]
