"""Inputs of requests, tagged by one tagger."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from roseq_allennlp._serving.batching import Item
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.alternatives import add_alternatives
from roseq_allennlp.predictors.thresholds import apply_thresholds

_OVERHEAD = 16  # of an input, in characters
_ALTERNATIVES = 8  # how many times the work it is to look for them too


class Options(NamedTuple):
    """
    # Parameters

    least : `Mapping[str, float]`, optional
        Least probability by type.
    review : `bool`, optional (default = `False`)
        Mark entities below it, and do not leave them out.
    alternatives : `int`, optional (default = `0`)
        Other entities that each one is shown with, at most.
    """

    least: Optional[Mapping[str, float]] = None
    review: bool = False
    alternatives: int = 0


class Input(NamedTuple):
    """What `NerTagger.predict_batch_json` takes, and how the answer shall be."""

    value: dict[str, Any]
    options: Options


def as_item(value: dict[str, Any], options: Options) -> Item:
    """An input for `Batcher`."""
    return Item(Input(value, options), (_OVERHEAD + characters(value)) * (_ALTERNATIVES if options.alternatives else 1))


def characters(value: Mapping[str, Any]) -> int:
    """Characters of an input; a token has one more, the space after it."""
    (content,) = value.values()
    return len(content) if isinstance(content, str) else sum(len(token) + 1 for token in content)


def tag_inputs(tagger: NerTagger, inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """The answers, in order. What cannot be tagged gets an `error`."""
    answers = tagger.predict_batch_json([value for value, _ in inputs])
    answers = [
        apply_thresholds(answer, options.least, options.review)
        for answer, (_, options) in zip(answers, inputs, strict=True)
    ]
    for number in {options.alternatives for _, options in inputs} - {0}:
        chosen = [
            (_text(value), answer)
            for answer, (value, options) in zip(answers, inputs, strict=True)
            if options.alternatives == number
        ]
        add_alternatives(tagger, chosen, number)
    return answers


def _text(value: Mapping[str, Any]) -> Optional[str]:
    (content,) = value.values()
    return content if isinstance(content, str) else None
