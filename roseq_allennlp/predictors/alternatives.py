"""Which other entities a tagger sees in the place of those that it has chosen, and how probable they are."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Optional

import torch

from roseq_allennlp.data.tag_schemes import Span, to_spans
from roseq_allennlp.predictors.ner_tagger import NerTagger
from roseq_allennlp.predictors.outputs import token_bounds
from roseq_allennlp.predictors.sentences import Sentence

_PATHS = 10  # of a sentence that are looked at
_START = attrgetter("start")


class _Part(NamedTuple):
    """A sentence of an answer: the tokens that the model sees, and its entities."""

    answer: int
    seen: list[int]
    entities: list[dict[str, Any]]


def add_alternatives(tagger: NerTagger, answers: Sequence[tuple[Optional[str], dict[str, Any]]], number: int) -> None:
    """
    Adds `alternatives` to each entity of answers: other entities that share a word with it, the most probable first, each
    with its exact probability and the same keys. They are those of the ten best tag sequences of its sentence, and the
    other types of the same words.

    # Parameters

    tagger : `NerTagger`
    answers : `Sequence[Tuple[Optional[str], Dict[str, Any]]]`
        The text, `None` for tokens, and the tagger's answer to it.
    number : `int`
        How many of an entity, at most.

    # Raises

    `ConfigurationError` for a model without a CRF of this package.
    """
    crf = tagger.crf_model().crf
    tags = list(tagger._bioes)  # BIOUL, in the order of the model's ids

    def compute(inputs: dict[str, Any], device: torch.device) -> dict[str, Any]:
        with torch.inference_mode():
            output = tagger._forward(inputs, device)
            emissions, mask = output["emissions"].double(), output["mask"]  # (B, T, K), (B, T)
            paths, scores = crf.decode(emissions, mask, _PATHS)  # (B, n, T), (B, n)
            return {"emissions": emissions.unsqueeze(1), "mask": mask.unsqueeze(1), "paths": paths, "scores": scores}

    parts = [part for index, (_, answer) in enumerate(answers) for part in _parts(index, answer)]
    texts = [_text(text, answer) for text, answer in answers]
    words = [[answers[part.answer][1]["words"][token] for token in part.seen] for part in parts]
    for index, output in tagger._in_batches(words, compute):
        part = parts[index]
        own = [_seen_span(entity, part.seen) for entity in part.entities]
        candidates = {Span(label, span.start, span.end) for span in own for label in tagger.labels}
        for path, score in zip(output["paths"].tolist(), output["scores"].tolist(), strict=True):
            if score > float("-inf"):  # a short sentence has fewer paths
                candidates.update(to_spans([tags[tag] for tag in path[: len(part.seen)]], "BIOUL"))
        spans = sorted(candidates, key=_START)
        length = len(part.seen)  # without padding
        values = tagger.span_probabilities(output["emissions"][:, :length], output["mask"][:, :length], spans)
        longest = max(span.end - span.start for span in spans)
        for entity, span in zip(part.entities, own, strict=True):
            near = range(bisect_left(spans, span.start - longest, key=_START), bisect_left(spans, span.end, key=_START))
            others = [
                (values[index], spans[index])
                for index in near
                if spans[index].end > span.start and spans[index] != span and values[index] > 0
            ]
            others.sort(key=lambda pair: (-pair[0], pair[1]))
            entity["alternatives"] = [
                _placed(other.label, part.seen[other.start], part.seen[other.end - 1] + 1, value, *texts[part.answer])
                for value, other in others[:number]
            ]


def _parts(index: int, answer: dict[str, Any]) -> list[_Part]:
    """The sentences of an answer that have entities."""
    words, entities = answer.get("words", []), answer.get("entities", [])
    bounds = [(part["start_token"], part["end_token"]) for part in answer.get("sentences", ())] or [(0, len(words))]
    parts = []
    for first, end in bounds:
        chosen = [entity for entity in entities if first <= entity["start_token"] < end]
        if chosen:
            seen = [token for token in range(first, end) if words[token].strip()]
            parts.append(_Part(index, seen, chosen))
    return parts


def _text(text: Optional[str], answer: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    """What the entities' characters are counted in, and the characters of each token."""
    words = answer.get("words", [])
    if text is not None:
        return text, token_bounds(text, words)
    joined, starts = Sentence(words).placed()
    return joined, [(start, start + len(word)) for start, word in zip(starts, words, strict=False)]


def _seen_span(entity: dict[str, Any], seen: Sequence[int]) -> Span:
    """An entity of an answer, among the words that the model sees."""
    return Span(entity["label"], bisect_left(seen, entity["start_token"]), bisect_left(seen, entity["end_token"]))


def _placed(
    label: str, start: int, end: int, probability: float, text: str, bounds: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    """An entity as an answer has it, of the tokens `[start, end)`."""
    first, last = bounds[start][0], bounds[end - 1][1]
    tokens = {"start_token": start, "end_token": end, "probability": probability}
    return {"text": text[first:last], "label": label, "start": first, "end": last, **tokens}
