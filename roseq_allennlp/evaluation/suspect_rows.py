"""Sentences with suspect labels, ranked, as rows of JSON and as documents for annotators."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.label_studio import Review
from roseq_allennlp.data.tag_schemes import Span, to_spans
from roseq_allennlp.evaluation.out_of_fold import Tagged
from roseq_allennlp.scoring.suspects import Ranked, Suspect, ranked


class SuspectSentence(NamedTuple):
    """
    # Parameters

    number : `int`
        Of the sentence in the data, from 1.
    tagged : `Tagged`
    suspects : `List[Tuple[int, Ranked]]`
        The rank of each suspect among all of the data, from 1, and the suspect; the worst first.
    """

    number: int
    tagged: Tagged
    suspects: list[tuple[int, Ranked]]


def suspect_sentences(sentences: Sequence[Tagged]) -> list[SuspectSentence]:
    """The sentences that have a suspect, by the rank of their worst one."""
    result: dict[int, SuspectSentence] = {}
    for rank, one in enumerate(ranked([sentence.evidence for sentence in sentences]), 1):
        sentence = result.setdefault(one.sentence, SuspectSentence(one.sentence + 1, sentences[one.sentence], []))
        sentence.suspects.append((rank, one))
    return list(result.values())


def as_row(one: SuspectSentence) -> dict[str, Any]:
    """A row of JSON."""
    words, gold, predicted, _ = one.tagged.sentence
    return {
        "sentence": one.number,
        "tokens": words,
        "tags": gold,
        "predicted_tags": predicted,
        "suspects": [_suspect(words, rank, suspect) for rank, suspect in one.suspects],
    }


def _suspect(words: Sequence[str], rank: int, one: Ranked) -> dict[str, Any]:
    return {
        "rank": rank,
        "kind": one.suspect.kind,
        "score": round(one.score, 4),
        "share": round(one.share, 6),
        "labelled": _entity(words, one.suspect.labelled),
        "probability": round(one.suspect.probability, 6),
        "proposed": _entity(words, one.suspect.proposed),
        "proposed_probability": round(one.suspect.proposed_probability, 6),
    }


def _entity(words: Sequence[str], span: Optional[Span]) -> Optional[dict[str, Any]]:
    if span is None:
        return None
    text = " ".join(words[span.start : span.end])
    return {"text": text, "label": span.label, "start_token": span.start, "end_token": span.end}


def as_review(one: SuspectSentence) -> Review:
    """The labels as an annotation, and how the tagger tags the sentence as a prediction beside it."""
    words, gold, predicted, probabilities = one.tagged.sentence
    remarks = [f"{rank}. {suspect.kind}: {_said(words, suspect)}" for rank, (_, suspect, _) in one.suspects]
    labelled = Document.from_tags(words, gold, "BIOES", Tally())
    labelled.other = {"sentence": one.number, "suspects": remarks}
    spans = to_spans(predicted, "BIOES")
    return Review(labelled, Document.from_words(words, spans), [probabilities[span] for span in spans])


def _said(words: Sequence[str], suspect: Suspect) -> str:
    sides = []
    for span, value in ((suspect.labelled, suspect.probability), (suspect.proposed, suspect.proposed_probability)):
        said = "no entity" if span is None else f"{' '.join(words[span.start : span.end])!r} {span.label}"
        sides.append(f"{said} {value:.2f}")
    return " or ".join(sides)
