"""The least probability of an entity, for all types or by type: what is below is left out, or marked for review."""

import json
import numbers
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from roseq_allennlp.data.tag_spelling import with_close_ones

CALIBRATED = "calibrated"
"""In place of numbers: those that `roseq calibrate` has kept in the archive."""

MinProbability = Union[float, Mapping[str, float], str, None]


def parsed_thresholds(text: str) -> MinProbability:
    """
    What a command line gives: `0.8`, `PER=0.8,LOC=0.7`, `{"PER": 0.8}` or `calibrated`.

    # Raises

    `ValueError`: the text has another form.
    """
    if text == CALIBRATED:
        return text
    try:
        if text.lstrip().startswith("{"):
            return dict(json.loads(text))
        if "=" not in text:
            return float(text)
        pairs = [part.rpartition("=") for part in text.split(",")]
        return {label.strip(): float(value) for label, _, value in pairs}
    except ValueError as error:
        raise ValueError(
            f'{reprlib.repr(text)} is none of 0.8, PER=0.8,LOC=0.7, {{"PER": 0.8}} and {CALIBRATED}'
        ) from error


def checked_thresholds(
    value: MinProbability, labels: Sequence[str], kept: Mapping[str, float]
) -> Optional[dict[str, float]]:
    """
    Returns the least probability by type; `None` for `None`.

    # Parameters

    value : `Union[float, Mapping[str, float], str]`, optional
        A number for all types, numbers by type (types left out have none), or `"calibrated"`.
    labels : `Sequence[str]`
        The types that the tagger knows.
    kept : `Mapping[str, float]`
        Those in the archive.

    # Raises

    `ValueError`: a number is not from 0 to 1, a type is unknown, or the archive has no thresholds.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if value != CALIBRATED:
            raise ValueError(
                f"min_probability must be a number, a dictionary or {CALIBRATED!r}; got {reprlib.repr(value)}"
            )
        if not kept:
            raise ValueError("the archive has no thresholds: make them with `roseq calibrate … --target-precision 0.9`")
        return dict(kept)
    by_type = dict(value) if isinstance(value, Mapping) else dict.fromkeys(labels, value)
    if unknown := [label for label in by_type if label not in labels]:
        raise ValueError(f"min_probability names types that the tagger lacks: {with_close_ones(unknown, labels)}")
    for label, least in by_type.items():
        if isinstance(least, bool) or not isinstance(least, numbers.Real) or not 0 <= least <= 1:
            raise ValueError(f"min_probability must be from 0 to 1; got {reprlib.repr(least)} for {label}")
    return by_type


def apply_thresholds(answer: dict[str, Any], least: Optional[Mapping[str, float]], review: bool) -> dict[str, Any]:
    """
    An answer of the tagger without the entities below the least probability, whose tags become O; with `review` they stay,
    with `review: true`.
    """
    if least is None or "error" in answer:
        return answer
    kept = []
    for entity in answer["entities"]:
        if entity["probability"] >= least.get(entity["label"], 0.0):
            kept.append(entity)
        elif review:
            kept.append({**entity, "review": True})
        else:
            for position in range(entity["start_token"], entity["end_token"]):
                answer["tags"][position] = "O"
    answer["entities"] = kept
    return answer
