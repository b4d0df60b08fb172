import heapq
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import lazy_groups_of
from allennlp.models import Model

from roseq_allennlp.data.tag_schemes import Span, from_spans
from roseq_allennlp.data.tag_spelling import with_close_ones
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.predictors.sentences import Sentence, Unreadable, checked_input, iterator_of

_TOKENS = 4096  # of the copies of a sentence that are looked at together


class Marginals(NamedTuple):
    """
    # Parameters

    tags : `Tuple[str, ...]`
        The K tags of the tagger, in BIOES.
    probabilities : `np.ndarray`
        `(T, K)` float64: row t has the probability of each of `tags` at token t. Rows sum to 1.
    """

    tags: tuple[str, ...]
    probabilities: np.ndarray


class Probabilities:
    """The probabilities that a tagger gives to what it has not chosen: exact, among the tag sequences that it may choose."""

    _model: Model
    _bioes: dict[str, str]
    _in_batches: Callable[..., Iterator[tuple[int, dict[str, Any]]]]
    _forward: Callable[[dict[str, Any], torch.device], dict[str, Any]]

    def marginals(self, tokens: Sequence[str]) -> Marginals:
        """
        Probability of each tag at each token of a sentence of T tokens. A token that is white space, which the model does not
        see, is `O`.

        # Raises

        `ValueError` if they are not all non-empty `str`; `ConfigurationError` for a model without a CRF of this package.
        """
        sentence = _sentence(tokens)
        tags = tuple(self._bioes.values())
        probabilities = np.zeros((len(sentence.words), len(tags)))  # (T, K)
        if "O" in tags:
            probabilities[:, tags.index("O")] = 1.0
        for emissions, mask in self._emissions(sentence):
            seen = range(len(sentence.words)) if sentence.visible is None else sentence.visible
            probabilities[seen] = self.crf_model().crf.marginals(emissions, mask)[0].cpu().numpy()
        return Marginals(tags, probabilities)

    def score(self, tokens: Sequence[str], spans: Iterable[tuple[str, int, int]]) -> list[float]:
        """
        The exact probability that each span is an entity, whether the tagger would choose it or not: that the tags of its
        tokens are those of an entity of its type. Each span is looked at alone, so they may overlap.

        # Parameters

        tokens : `Sequence[str]`
        spans : `Iterable[Tuple[str, int, int]]`
            Type, first token and end token (exclusive). Tokens of white space, which the model does not see, are passed over.

        # Returns

        `List[float]`
            For each span, from 0 to 1; 0 if the tagger has no tags for it, such as one of white space alone.

        # Raises

        `ValueError` if `tokens` are not all non-empty `str`, and for spans that are empty, outside the sentence, or of a type
        that the tagger does not know; `ConfigurationError` for a model without a CRF of this package.
        """
        sentence = _sentence(tokens)
        checked = self._checked(spans, len(sentence.words))
        seen = list(range(len(sentence.words))) if sentence.visible is None else sentence.visible
        position = np.searchsorted(seen, range(len(sentence.words) + 1)).tolist()  # tokens seen before each token
        probabilities = [0.0] * len(checked)
        indices, seen_spans = [], []
        for index, (label, start, end) in enumerate(checked):
            if position[start] < position[end]:
                indices.append(index)
                seen_spans.append(Span(label, position[start], position[end]))
        for emissions, mask in self._emissions(sentence) if seen_spans else ():
            for index, value in zip(indices, self.span_probabilities(emissions, mask, seen_spans), strict=True):
                probabilities[index] = value
        return probabilities

    def span_probabilities(self, emissions: torch.Tensor, mask: torch.Tensor, spans: Sequence[Span]) -> list[float]:
        """
        `score` from the emissions `(1, T, K)` of a sentence and its mask `(1, T)`, for spans of its T tokens. Spans that do not
        overlap share a copy of the sentence.
        """
        ids = {tag: index for index, tag in enumerate(self._bioes.values())}
        copies: list[list[tuple[int, int, int, list[int]]]] = []  # index of the span, start, end, tags
        free: list[tuple[int, int]] = []  # where the last span of a copy ends, and the copy
        for index in sorted(range(len(spans)), key=lambda index: spans[index].start):
            label, start, end = spans[index]
            tags = from_spans([Span(label, 0, end - start)], end - start, "BIOES")
            if not all(tag in ids for tag in tags):
                continue
            if free and free[0][0] <= start:
                copy = heapq.heappop(free)[1]
            else:
                copy = len(copies)
                copies.append([])
            copies[copy].append((index, start, end, [ids[tag] for tag in tags]))
            heapq.heappush(free, (end, copy))
        probabilities = [0.0] * len(spans)
        for some in lazy_groups_of(copies, max(_TOKENS // mask.size(1), 1)):
            paths = mask.new_zeros(len(some), mask.size(1), dtype=torch.long)  # (S, T)
            bounds, indices = [], []
            for row, copied in enumerate(some):
                for index, start, end, tags_of_span in copied:
                    paths[row, start:end] = torch.tensor(tags_of_span, device=mask.device)
                    bounds.append((row, start, end))
                    indices.append(index)
            values = self.crf_model().crf.span_probabilities(
                emissions.expand(len(some), -1, -1),
                mask.expand(len(some), -1),
                paths,
                torch.tensor(bounds, device=mask.device),
            )
            for index, value in zip(indices, values.tolist(), strict=True):
                probabilities[index] = value
        return probabilities

    def _emissions(self, sentence: Sentence) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Emissions `(1, T, K)` in float64, and the mask; none for a sentence without a word."""
        self.crf_model()

        def compute(inputs: dict[str, Any], device: torch.device) -> dict[str, Any]:
            with torch.inference_mode():
                output = self._forward(inputs, device)
                return {"emissions": output["emissions"].double().unsqueeze(1), "mask": output["mask"].unsqueeze(1)}

        for _, output in self._in_batches([sentence.seen()], compute):
            yield output["emissions"], output["mask"]

    def _checked(self, spans: Iterable[tuple[str, int, int]], length: int) -> list[Span]:
        known = {tag.partition("-")[2] for tag in self._bioes} - {""}
        checked = []
        for span in iterator_of(spans, "score takes a list of spans (label, start, end)"):
            if (
                not isinstance(span, (tuple, list))
                or [type(part) for part in span] != [str, int, int]
                or not 0 <= span[1] < span[2] <= length
            ):
                raise ValueError(
                    f"a span is (label, start, end), a type and tokens of the sentence, 0 <= start < end <= {length}; got"
                    f" {reprlib.repr(span)}"
                )
            if span[0] not in known:
                raise ValueError(
                    f"the tagger has no type {with_close_ones({span[0]}, known)}; its types are {', '.join(sorted(known))}"
                )
            checked.append(Span(*span))
        return checked

    def crf_model(self) -> Tagger:
        """The model, if it has a CRF of this package; raises `ConfigurationError` otherwise."""
        if not isinstance(self._model, Tagger):
            raise ConfigurationError(
                f"Probabilities of tags are those of a label_aware_crf_tagger or a tagger_ensemble; the model is a"
                f" {type(self._model).__name__}."
            )
        return self._model


def _sentence(tokens: Sequence[str]) -> Sentence:
    words = list(iterator_of(tokens, "a sentence is a list of strings"))
    checked = checked_input({"tokens": words})
    if isinstance(checked, Unreadable):
        raise ValueError(checked["error"])
    assert isinstance(checked, Sentence)
    return checked
