"""What a tagger makes of labels that it has not seen: exact probabilities of labelled entities and of likely other ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.models import Model
from more_itertools import chunked

from roseq_allennlp.data.tag_schemes import Span, bioul_to_bioes, from_spans, to_spans, unknown_tokens, whole_spans
from roseq_allennlp.data.training_mix import Sentence
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, model_output
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.scoring.conlleval import comparable
from roseq_allennlp.scoring.suspects import Evidence, overlap

_AT_A_TIME = 64  # sentences
LEAST = 0.05
"""The least probability of an entity that is looked at where the labels do not have it."""


class Tagged(NamedTuple):
    """A labelled sentence as a tagger tags it, and what it makes of the labels."""

    sentence: TaggedSentence
    evidence: Evidence


class _Path(NamedTuple):
    """A row of tags in which the spans `[start, end)` are looked at."""

    sentence: int
    tags: list[int]
    spans: list[tuple[int, int]]


@torch.inference_mode()
def tagged(model: Model, reader: DatasetReader, sentences: Sequence[Sentence]) -> Iterator[Tagged]:
    """
    Tags labelled sentences. Labels are kept from the tagger. An entity of a type that it does not know has probability 0.

    # Parameters

    model : `Model`
        A `Tagger`.
    reader : `DatasetReader`
        That of its archive.
    sentences : `Sequence[Sentence]`

    # Raises

    `ConfigurationError`: the model is no `Tagger`.
    """
    if not isinstance(model, Tagger):
        raise ConfigurationError(
            f"the model is a {type(model).__name__}, which gives no probabilities of entities. Train a"
            " `label_aware_crf_tagger` or a `tagger_ensemble`."
        )
    model.eval()
    for part in chunked(sentences, _AT_A_TIME):
        yield from _of_batch(model, part, model_output(model, reader, [words for words, _ in part]))


def _of_batch(model: Tagger, sentences: Sequence[Sentence], output: dict[str, torch.Tensor]) -> Iterator[Tagged]:
    emissions, mask = output["emissions"], output["mask"]
    ids = model.vocab.get_token_to_index_vocabulary("labels")
    names = model.vocab.get_index_to_token_vocabulary("labels")
    marginals = model.crf.marginals(emissions, mask).cpu()  # (B, T, K)
    gold, others, paths, predicted, wanted = [], [], [], [], []
    for index, (words, tags) in enumerate(sentences):
        gold.append(whole_spans(tags, "BIOUL"))
        unknown = set(unknown_tokens(tags, "BIOUL"))
        likely = likely_spans(marginals[index, : len(words)], ids, LEAST)
        others.append([s for s in likely if s not in gold[-1] and unknown.isdisjoint(range(s.start, s.end))])
        paths.append([names[tag] for tag in output["tags"][index, : len(words)].tolist()])
        predicted.append(to_spans(paths[-1], "BIOUL"))
        entities = {*gold[-1], *others[-1], *predicted[-1]}
        wanted.append([*entities, *{Span("", span.start, span.end) for span in entities}])
    exact = _probabilities(model, emissions, mask, [len(words) for words, _ in sentences], wanted, ids)
    for (words, tags), own, lacked, path, best, probability in zip(
        sentences, gold, others, paths, predicted, exact, strict=True
    ):
        known = bioul_to_bioes(tags)
        evidence = Evidence(
            {span: probability[span] for span in own},
            {span: probability[span] for span in lacked if probability[span] >= LEAST},
            {(span.start, span.end): value for span, value in probability.items() if not span.label},
            comparable(known, bioul_to_bioes(path), "BIOES"),
        )
        marked = {span: probability[span] for span in best}
        yield Tagged(TaggedSentence(words, known, bioul_to_bioes(path), marked), evidence)


def likely_spans(marginals: torch.Tensor, labels: Mapping[str, int], least: float) -> list[Span]:
    """
    All entities that may have at least the probability `least`: an entity has none above that of any of its tags.

    # Parameters

    marginals : `torch.Tensor`
        `(T, K)`, probability of each tag at each token of a sentence.
    labels : `Mapping[str, int]`
        Index of each tag of BIOUL among the K.
    least : `float`
    """
    spans = []
    is_likely = (marginals >= least).t()  # (K, T)
    none = torch.zeros(len(marginals), dtype=torch.bool)
    for label in sorted({tag[2:] for tag in labels} - {""}):
        first, inside, last, single = (
            (is_likely[labels[f"{prefix}-{label}"]] if f"{prefix}-{label}" in labels else none).tolist()
            for prefix in "BILU"
        )
        spans += [Span(label, position, position + 1) for position, likely in enumerate(single) if likely]
        for start in (position for position, likely in enumerate(first) if likely):
            for end in range(start + 1, len(last)):
                if last[end]:
                    spans.append(Span(label, start, end + 1))
                if not inside[end]:
                    break
    return sorted(spans, key=lambda span: span[1:])


def _probabilities(
    model: Tagger,
    emissions: torch.Tensor,
    mask: torch.Tensor,
    lengths: Sequence[int],
    wanted: Sequence[Sequence[Span]],
    ids: Mapping[str, int],
) -> list[dict[Span, float]]:
    """
    The exact probability of each of the spans of each sentence. A span without a label is one of O; a tag that the tagger does
    not know has probability 0.
    """
    results: list[dict[Span, float]] = [{} for _ in wanted]
    paths: list[_Path] = []
    owners: list[list[Span]] = []
    for index, spans in enumerate(wanted):
        layers: list[list[Span]] = []  # of spans that do not overlap, so that one path has them all
        for span in spans:
            results[index][span] = 0.0
            tags = from_spans([Span(span.label, 0, span.end - span.start)], span.end - span.start, "BIOUL")
            if span.label and not ids.keys() >= set(tags):
                continue
            layer = next((one for one in layers if not any(overlap(span, other) for other in one)), None)
            if layer is None:
                layers.append(layer := [])
            layer.append(span)
        for layer in layers:
            named = [span for span in layer if span.label]
            row = [ids[tag] for tag in from_spans(named, lengths[index], "BIOUL")]
            row += [0] * (mask.size(1) - len(row))
            paths.append(_Path(index, row, [(span.start, span.end) for span in layer]))
            owners.append(layer)
    if not paths:
        return results
    rows = torch.tensor([path.sentence for path in paths], device=emissions.device)
    ways = torch.tensor([path.tags for path in paths], device=emissions.device)  # (R, T)
    cut_out = [(row, *span) for row, path in enumerate(paths) for span in path.spans]
    places = torch.tensor(cut_out, device=emissions.device)  # (S, 3)
    values = iter(model.crf.span_probabilities(emissions[rows], mask[rows], ways, places).tolist())
    for path, layer in zip(paths, owners, strict=True):
        for span in layer:
            results[path.sentence][span] = next(values)
    return results
