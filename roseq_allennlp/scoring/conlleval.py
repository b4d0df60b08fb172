"""
Scores of tagged sentences: what `conlleval` computes, and token scores with O.

The rules of `conlleval` (Tjong Kim Sang, version of 2004-01-26) for IOB1 and IOB2, whether a sequence is valid or not:

1. `B` starts an entity.
2. `I` continues the entity before it if that has its type, and otherwise starts one.
3. An entity lasts until another starts, an `O` comes or the sentence ends.
4. An entity is correct if one of the same type, with the same first and last token, is in the gold tags.
5. Token accuracy compares tags as they are written, `B` and `I` apart.

The script has no `S`, and takes a `B` after an `E` of its type for the same entity. So BIOES and BIOUL are converted to
IOB2 first. A valid sequence loses nothing by this; an invalid one is read by `tag_schemes.to_spans`, which applies rules 1
to 3 and lets nothing continue an `S` or `E`.

Gold tags may be unknown (`?`), which the script does not have. Their tokens are left out of token scores. A gold entity that
goes on into one is left out, and so is a predicted entity with a token that is unknown or of such an entity: it is neither
correct nor wrong.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from roseq_allennlp.data.tag_schemes import UNKNOWN, Span, convert, detect_scheme, split_tag, whole_spans

Tags = Sequence[str]
"""The tags of the tokens of one sentence."""

_ANY = "BIOES"  # its prefixes and rules include those of the other schemes


class Counts(NamedTuple):
    """
    The counts behind an F1 score. Ratios are in percent and follow `conlleval`'s order of operations, so that they round
    alike; a ratio with the denominator 0 is 0.
    """

    correct: int = 0
    predicted: int = 0
    gold: int = 0

    @property
    def precision(self) -> float:
        """Correct among the predicted entities, in percent."""
        return 100 * self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Correct among the gold entities, in percent."""
        return 100 * self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in percent."""
        precision, recall = self.precision, self.recall
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def __add__(self, other: tuple) -> "Counts":  # type: ignore[override]
        return Counts(*map(int.__add__, self, other))

    def as_dict(self) -> dict[str, float]:
        """Ratios and counts by name."""
        ratios = {name: getattr(self, name) for name in ("precision", "recall", "f1")}
        return {**ratios, **self._asdict()}


@dataclass
class Score:
    """Counts of entities by type, and of tokens. Scores of parts of a corpus add up to that of the whole."""

    types: Mapping[str, Counts] = field(default_factory=dict)
    tokens: int = 0
    correct_tokens: int = 0

    @property
    def overall(self) -> Counts:
        """Counts over all types."""
        return total(self.types)

    @property
    def accuracy(self) -> float:
        """The token accuracy in percent."""
        return 100 * self.correct_tokens / self.tokens if self.tokens else 0.0

    def __add__(self, other: "Score") -> "Score":
        labels = sorted({*self.types, *other.types})
        types = {label: self.types.get(label, Counts()) + other.types.get(label, Counts()) for label in labels}
        return Score(types, self.tokens + other.tokens, self.correct_tokens + other.correct_tokens)

    def as_dict(self) -> dict:
        """`overall`, `types` and tokens, for JSON."""
        types = {label: counts.as_dict() for label, counts in self.types.items()}
        return {
            "overall": self.overall.as_dict(),
            "types": types,
            **{"accuracy": self.accuracy, "tokens": self.tokens, "correct_tokens": self.correct_tokens},
        }

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from roseq_allennlp.tables import html_table  # which imports more than scoring needs

        rows = [
            [label, counts.precision, counts.recall, counts.f1, *counts]
            for label, counts in [*self.types.items(), ("overall", self.overall)]
        ]
        return html_table(["type", "precision", "recall", "F1", "correct", "predicted", "gold"], rows)


def entities(tags: Tags, scheme: str = _ANY) -> list[Span]:
    """
    Returns the entities of a sentence in any scheme, by the rules above; `scheme` says which ones go on into an unknown tag.
    """
    return whole_spans(tags, scheme if UNKNOWN in tags else _ANY)


def scheme_of(gold: Sequence[Tags]) -> str:
    """The scheme by which entities go on into unknown tags; any scheme if no tag is unknown."""
    return detect_scheme(gold) if any(UNKNOWN in tags for tags in gold) else _ANY


def comparable(gold: Tags, predicted: Tags, scheme: str = _ANY) -> list[Span]:
    """
    The predicted entities of a sentence that can be compared, see above: all where no gold tag is unknown. `scheme` is that of
    `gold`.
    """
    spans = entities(predicted)
    if UNKNOWN not in gold:
        return spans
    known = {index for index, tag in enumerate(gold) if tag == "O"}
    known.update(index for span in entities(gold, scheme) for index in range(span.start, span.end))
    return [span for span in spans if known.issuperset(range(span.start, span.end))]


def compared(gold: Tags, predicted: Tags, scheme: str) -> tuple[list[Span], list[Span]]:
    """The gold and the predicted entities of a sentence that are compared; `scheme` is that of `gold`, see `scheme_of`."""
    return entities(gold, scheme), comparable(gold, predicted, scheme)


def score(gold: Iterable[Tags], predicted: Iterable[Tags]) -> Score:
    """
    Computes what `conlleval` prints, from the tags of each sentence in IOB1, IOB2, BIOES or BIOUL; gold ones may be unknown.

    # Raises

    `ValueError` if the two do not have the same sentences with the same number of tokens each, or a tag is not valid.
    """
    pairs = sentence_pairs(gold, predicted)
    scheme = scheme_of([gold_tags for gold_tags, _ in pairs])
    in_iob2 = any(split_tag(tag)[0] not in "OBI" for pair in pairs for tags in pair for tag in {*tags} - {UNKNOWN})
    tokens = correct_tokens = 0
    for gold_tags, predicted_tags in pairs:
        if in_iob2 and gold_tags != predicted_tags:
            gold_tags, predicted_tags = convert(gold_tags, _ANY, "IOB2"), convert(predicted_tags, _ANY, "IOB2")
        correct_tokens += sum(map(str.__eq__, gold_tags, predicted_tags))
        tokens += len(gold_tags) - gold_tags.count(UNKNOWN)
    types = count_matches(compared(*pair, scheme) for pair in pairs)
    return Score(types, tokens, correct_tokens)


def count_matches(pairs: Iterable[tuple[Iterable[Span], Iterable[Span]]]) -> dict[str, Counts]:
    """Counts entities by type, from the gold and the predicted entities of each sentence."""
    correct: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for gold_spans, predicted_spans in pairs:
        gold_set, predicted_set = set(gold_spans), set(predicted_spans)
        gold.update(span.label for span in gold_set)
        predicted.update(span.label for span in predicted_set)
        correct.update(span.label for span in gold_set & predicted_set)
    return counts_by_label(correct, predicted, gold)


def token_scores(gold: Iterable[Tags], predicted: Iterable[Tags]) -> dict[str, Counts]:
    """
    Counts tokens by label, O included, for token precision, recall and F1 (Table I and Fig. 5): a token's label is the
    type of its tag, whatever the prefix. Tokens whose gold tag is unknown are left out.

    # Raises

    `ValueError` as `score`.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for pair in sentence_pairs(gold, predicted):
        pairs.update((label_of(tag), label_of(other)) for tag, other in zip(*pair, strict=True) if tag != UNKNOWN)
    counts: dict[str, Counter[str]] = {"correct": Counter(), "predicted": Counter(), "gold": Counter()}
    for (gold_label, predicted_label), tokens in pairs.items():
        counts["gold"][gold_label] += tokens
        counts["predicted"][predicted_label] += tokens
        counts["correct"][gold_label] += tokens * (gold_label == predicted_label)
    return counts_by_label(**counts)


def total(types: Mapping[str, Counts]) -> Counts:
    """Adds the counts of all types."""
    return sum(types.values(), Counts())


def label_of(tag: str) -> str:
    """Returns the type of a tag, or `O` for an O."""
    return split_tag(tag)[1] or "O"


def conlleval_layout(result: Score) -> str:
    """Returns the lines that `conlleval` prints, to the last digit."""
    overall = result.overall
    lines = [
        f"processed {result.tokens} tokens with {overall.gold} phrases; "
        f"found: {overall.predicted} phrases; correct: {overall.correct}.\n"
    ]
    if result.tokens:
        lines.append(f"accuracy: {result.accuracy:6.2f}%; {ratios(overall)}\n")
    return "".join(lines + type_lines(result.types))


def type_lines(types: Mapping[str, Counts]) -> list[str]:
    """The lines by type that `conlleval` prints."""
    return [f"{label:>17}: {ratios(counts)}  {counts.predicted}\n" for label, counts in sorted(types.items())]


def ratios(counts: Counts) -> str:
    """Precision, recall and F1 as `conlleval` prints them."""
    return f"precision: {counts.precision:6.2f}%; recall: {counts.recall:6.2f}%; FB1: {counts.f1:6.2f}"


def counts_by_label(
    correct: Mapping[str, int], predicted: Mapping[str, int], gold: Mapping[str, int]
) -> dict[str, Counts]:
    """`Counts` of each label that is predicted or gold, sorted by label."""
    labels = sorted({*predicted, *gold})
    return {label: Counts(correct.get(label, 0), predicted.get(label, 0), gold.get(label, 0)) for label in labels}


def sentence_pairs(gold: Iterable[Tags], predicted: Iterable[Tags]) -> list[tuple[Tags, Tags]]:
    """Gold and predicted tags of each sentence. Raises `ValueError` if sentences or tokens do not match."""
    gold, predicted = list(gold), list(predicted)
    if [len(tags) for tags in gold] != [len(tags) for tags in predicted]:
        raise ValueError("Predicted and gold tags must have the same sentences with the same number of tokens each.")
    return list(zip(gold, predicted, strict=True))
