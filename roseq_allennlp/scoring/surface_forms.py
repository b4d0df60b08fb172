"""WNUT-2017's second score, over distinct surface forms."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from roseq_allennlp.scoring.conlleval import (
    Counts,
    Tags,
    counts_by_label,
    entities,
    ratios,
    sentence_pairs,
    total,
    type_lines,
)


def surface_score(words: Iterable[Sequence[str]], gold: Iterable[Tags], predicted: Iterable[Tags]) -> dict[str, Counts]:
    """
    WNUT-2017's second score, by type: entities count once for each distinct pair of words, as they are written, and
    type. A pair is correct if an entity with it is correct anywhere (Derczynski et al. 2017, section 4.2, and the
    task's scorer).

    # Raises

    `ValueError` as `score`.
    """
    correct: set[tuple[str, tuple[str, ...]]] = set()
    forms: tuple[set, set] = (set(), set())
    for sentence, pair in zip(words, sentence_pairs(gold, predicted), strict=True):
        spans = [set(entities(tags)) for tags in pair]
        for found, kept in zip((spans[0] & spans[1], *spans), (correct, *forms)):
            kept.update((span.label, tuple(sentence[span.start : span.end])) for span in found)
    gold_forms, predicted_forms = (Counter(label for label, _ in found) for found in forms)
    return counts_by_label(Counter(label for label, _ in correct), predicted_forms, gold_forms)


def surface_layout(types: Mapping[str, Counts]) -> str:
    """Surface forms, in the manner of `conlleval`."""
    overall = total(types)
    lines = [
        f"surface forms: {overall.gold}; found: {overall.predicted}; correct: {overall.correct}.\n",
        f"{ratios(overall)}\n",
    ]
    return "".join(lines + type_lines(types))
