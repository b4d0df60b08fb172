"""Labels that are probably wrong, as one HTML page that needs nothing else."""

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roseq_allennlp.evaluation.marked_sentences import (
    COLORS,
    MARK_TEXT,
    MOST,
    MOST_TEXT,
    MarkedRow,
    MarkedSentence,
    Selection,
    marked,
    quoted,
)
from roseq_allennlp.evaluation.pages import Page, page
from roseq_allennlp.evaluation.report_sections import Section, Table, run_section
from roseq_allennlp.evaluation.suspect_rows import SuspectSentence
from roseq_allennlp.scoring.suspects import KINDS, Suspect
from roseq_allennlp.text import shown

if TYPE_CHECKING:
    from markupsafe import Markup

_FIRST = 100  # suspects of the table


def render(
    suspects: Sequence[SuspectSentence],
    data: str,
    total: int,
    about: Sequence[tuple[str, str]],
    version: str,
    command: str,
    config: Mapping[str, Any],
) -> Page:
    """
    # Parameters

    suspects : `Sequence[SuspectSentence]`
        The sentences with a suspect, the worst first.
    data : `str`
        The name of the data.
    total : `int`
        How many sentences the data have.
    about : `Sequence[Tuple[str, str]]`
        What else the page says at its head: names with texts.
    version : `str`
        Of this package.
    command : `str`
        The command line that makes the page.
    config : `Mapping[str, Any]`
        The config of the taggers.
    """
    frequency = Counter(span.label for one in suspects for span in [*one.tagged.evidence.labelled, *_proposed(one)])
    predicted = {span.label for one in suspects for span in one.tagged.sentence.probabilities}
    types = [*(label for label, _ in frequency.most_common()), *sorted(predicted - frequency.keys())]
    colors = {label: rank % COLORS for rank, label in enumerate(types)}
    number = sum(len(one.suspects) for one in suspects)
    shown_ones = _as_many_as_fit(suspects)
    made = f"Made {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC by roseq-allennlp {version}."
    return page(
        "suspects.html",
        title=f"Suspect labels of {data}",
        facts=[
            ("Data", data),
            ("Size", f"{total:,} sentences, {number:,} suspects in {len(suspects):,} of them"),
            *about,
        ],
        before=[_kinds_section(suspects, types), _first_section(suspects)],
        after=[run_section(made, command, {data: config})],
        models=["tagger"],
        types=types,
        kinds=KINDS,
        sentences=_marked_sentences(shown_ones, colors),
        selection=Selection(list(range(len(shown_ones))), len(suspects) - len(shown_ones), 0),
        total=total,
    )


def _proposed(sentence: SuspectSentence) -> list[Any]:
    return [suspect.proposed for _, (_, suspect, _) in sentence.suspects if suspect.proposed is not None]


def _as_many_as_fit(suspects: Sequence[SuspectSentence]) -> Sequence[SuspectSentence]:
    room = MOST_TEXT
    for index, one in enumerate(suspects[:MOST]):
        room -= 2 * sum(map(len, one.tagged.sentence.words)) + 4 * len(one.suspects) * MARK_TEXT
        if room < 0:
            return suspects[:index]
    return suspects[:MOST]


def _kinds_section(suspects: Sequence[SuspectSentence], types: Sequence[str]) -> Section:
    counts = Counter((suspect.span.label, suspect.kind) for one in suspects for _, (_, suspect, _) in one.suspects)
    rows = [[label, *(counts[label, kind] for kind in KINDS)] for label in types]
    rows.append(["all", *(sum(counts[label, kind] for label in types) for kind in KINDS)])
    note = (
        "A suspect is an entity of the labels where something else is more probable, or an entity that they lack and that is"
        " more probable than none. Where the data are right and the tagger is wrong it is a suspect too: they are ranked, and not"
        " judged."
    )
    return Section("Suspects by kind", note, tables=[Table("Suspects by type", ["type", *KINDS], rows, stacked=True)])


def _first_section(suspects: Sequence[SuspectSentence]) -> Section:
    first = sorted(((rank, one, ranked) for one in suspects for rank, ranked in one.suspects), key=lambda row: row[0])[
        :_FIRST
    ]
    rows = [
        [
            rank,
            one.number,
            suspect.kind,
            *_sides(one.tagged.sentence.words, suspect),
            f"{100 * ranked.share:.2g} %",
            ranked.score,
        ]
        for rank, one, ranked in first
        for suspect in [ranked.suspect]
    ]
    note = (
        "Entities, by falling score, each with its probability. The score has how many times as probable the proposal is as the"
        " labels, and the share: how much of the labels of that type (for a missing entity, of what the taggers mark) looks at"
        " least as wrong in the same way. So a kind of error that the taggers often make themselves comes late."
    )
    headers = ["rank", "sentence", "kind", "labels", "proposed", "share", "score"]
    table = Table(f"The first {len(rows)} suspects", headers, rows, folded=True, stacked=True)
    return Section("The first suspects", note, tables=[table])


def _sides(words: Sequence[str], suspect: Suspect) -> tuple["Markup", "Markup"]:
    """What the labels say and what is proposed, each with its probability."""
    from markupsafe import Markup

    def side(span: Any, probability: float) -> Markup:
        said = f" {probability:.2f}"
        return Markup("no entity{}").format(said) if span is None else quoted(words, span, said)

    return side(suspect.labelled, suspect.probability), side(suspect.proposed, suspect.proposed_probability)


def _marked_sentences(suspects: Sequence[SuspectSentence], colors: Mapping[str, int]) -> Iterator[MarkedSentence]:
    from markupsafe import Markup

    for one in suspects:
        words, _, _, probabilities = sentence = one.tagged.sentence
        labelled = dict.fromkeys(sentence.gold_entities, "")
        remarks, items = [], set()
        for number, (rank, (_, suspect, _)) in enumerate(one.suspects, 1):
            if suspect.labelled is not None:
                labelled[suspect.labelled] = f"{suspect.probability:.2f} ✗{number}"
            before, after = _sides(words, suspect)
            remark = "<b>✗{} {}:</b> {}; proposed: {} (rank {})"
            remarks.append(Markup(remark).format(number, suspect.kind, before, after, f"{rank:,}"))
            spans = [span for span in (suspect.labelled, suspect.proposed) if span is not None]
            items |= {(0, suspect.kind, shown(span.label)) for span in spans}
        predicted = {span: f"{probability:.2f}" for span, probability in probabilities.items()}
        differing = {span: "" for span in labelled if span not in predicted}
        rows = [
            MarkedRow("labels", marked(words, labelled, {}, colors), remarks),
            MarkedRow("tagger", marked(words, predicted, differing, colors)),
        ]
        yield MarkedSentence(one.number, rows, sorted(items))
