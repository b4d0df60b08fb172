import html
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from roseq_allennlp.predictors.sentences import Sentence


class Mark(NamedTuple):
    """Tokens `[start, end)`; the label chooses the colour, `shown` stands behind the words."""

    start: int
    end: int
    label: str
    shown: str


class Answer(dict[str, Any]):
    """An answer of `NerTagger`; a notebook shows its sentence with the entities marked, by displaCy."""

    def _repr_html_(self) -> str:
        return marked_html(
            self["words"],
            (
                mark(entity["label"], entity["start_token"], entity["end_token"], entity["probability"])
                for entity in self["entities"]
            ),
        )


def mark(label: str, start: int, end: int, probability: float) -> Mark:
    """An entity with its probability."""
    return Mark(start, end, label, f"{label} {probability:.2f}")


def marked_html(words: Sequence[str], marks: Iterable[Mark]) -> str:
    """A sentence with marks as HTML."""
    from spacy import displacy  # takes long to import

    text, starts = Sentence(list(words)).placed()
    entities = [
        {"start": starts[one.start], "end": starts[one.end] - 1, "label": one.label}
        | {"params": {"label": html.escape(one.shown)}}
        for one in marks
    ]
    sentence = {"text": text, "ents": entities}
    return str(displacy.render(sentence, style="ent", manual=True, jupyter=False))
