"""WNUT-2017's second score, over distinct surface forms."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from roseq_allennlp.scoring.conlleval import (
    Counts,
    Tags,
    compared,
    counts_by_label,
    ratios,
    scheme_of,
    sentence_pairs,
    total,
    type_lines,
)


def surface_score(words: Iterable[Sequence[str]], gold: Iterable[Tags], predicted: Iterable[Tags]) -> dict[str, Counts]:
    """
    Computes WNUT-2017's second score by type: entities count once for each distinct pair of words, as they are written,
    and type. A pair is correct if an entity with it is correct anywhere (Derczynski et al. 2017, section 4.2, and the
    task's scorer).

    # Raises

    `ValueError` as `score`.
    """
    correct: set[tuple[str, tuple[str, ...]]] = set()
    forms: tuple[set, set] = (set(), set())
    pairs = sentence_pairs(gold, predicted)
    scheme = scheme_of([tags for tags, _ in pairs])
    for sentence, pair in zip(words, pairs, strict=True):
        spans = list(map(set, compared(*pair, scheme)))
        for new_spans, seen_forms in zip((spans[0] & spans[1], *spans), (correct, *forms), strict=True):
            seen_forms.update((span.label, tuple(sentence[span.start : span.end])) for span in new_spans)
    gold_forms, predicted_forms = (Counter(label for label, _ in side) for side in forms)
    return counts_by_label(Counter(label for label, _ in correct), predicted_forms, gold_forms)


def surface_layout(types: Mapping[str, Counts]) -> str:
    """Returns the counts of surface forms in a layout like `conlleval`'s."""
    overall = total(types)
    lines = [
        f"surface forms: {overall.gold}; found: {overall.predicted}; correct: {overall.correct}.\n",
        f"{ratios(overall)}\n",
    ]
    return "".join(lines + type_lines(types))
