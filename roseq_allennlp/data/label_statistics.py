"""Label counts, and the label-aware weights that follow from them (eq. 8)."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from allennlp.data import Instance
from allennlp.data.fields import SequenceLabelField

from roseq_allennlp.data.tag_schemes import UNKNOWN


def label_weights(counts: Mapping[str, float], tau: float) -> dict[str, float]:
    """
    ζ = (max θ / θ)^τ, θ the proportion of each tag among the tokens of the training split.

    # Parameters

    counts : `Mapping[str, float]`
        Tokens with each tag; every tag of the label set has an entry.
    tau : `float`
        τ >= 0; 0 gives 1 for each tag.

    # Returns

    `Dict[str, float]`
        The most frequent tag has 1. A tag that never occurs has the largest weight that another tag has: eq. (8) has no
        value for it.

    # Raises

    `ValueError` if τ is negative or not finite, or no tag occurs at all.
    """
    if not (tau >= 0 and math.isfinite(tau)):
        raise ValueError(f"tau must be a finite number of at least 0; got {tau}.")
    most = max(counts.values(), default=0)
    if most <= 0:
        raise ValueError("No tag of the label set occurs in the training split, so there are no label proportions.")
    weights = {label: (most / count) ** tau for label, count in counts.items() if count > 0}
    largest = max(weights.values())
    return {label: weights.get(label, largest) for label in counts}


def count_labels(instances: Iterable[Instance], namespace: str) -> "Counter[str]":
    """Tokens with each tag, over all sequence labels of a namespace; those whose tag is unknown are left out."""
    counts: Counter[str] = Counter()
    for instance in instances:
        for field in instance.fields.values():
            if isinstance(field, SequenceLabelField) and field._label_namespace == namespace:
                counts.update(map(str, field.labels))
    counts.pop(UNKNOWN, None)
    return counts
