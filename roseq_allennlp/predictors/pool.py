"""The sentences of a pool that a tagger is least sure of."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Optional

from roseq_allennlp.predictors.batching import windows
from roseq_allennlp.predictors.inputs import Row
from roseq_allennlp.predictors.ner_tagger import NerTagger
from roseq_allennlp.predictors.selection import Selection, boost
from roseq_allennlp.predictors.sentences import Sentence, Unreadable, checked_input
from roseq_allennlp.predictors.uncertainty import Unsure, unsure

_WINDOW = 2048  # rows read at a time, or fewer where they are long
_WINDOW_SIZE = 2**20  # characters
_NOT_KEPT = ("sentence", "tokens", "text", "tags", "ner_tags", "label", "labels", "entities", "spans")


class Task(NamedTuple):
    """A sentence that is to be labelled; `row` is one of this sentence alone, with the other keys of the row it is from."""

    row: Row
    sentence: Sentence
    unsure: Unsure


def chosen(
    tagger: NerTagger,
    rows: Iterable[Row],
    number: int,
    by: str,
    rarity: Optional[Mapping[str, float]],
    report: Callable[[str], None],
    progress: Callable[[int], Any],
) -> list[Task]:
    """
    The sentences that a tagger is least sure of, best first, in one pass over the rows and in memory for some of them alone.

    # Parameters

    tagger : `NerTagger`
    rows : `Iterable[Row]`
        A document is many sentences, which are chosen one by one.
    number : `int`
        How many are wanted; there are fewer if the pool has no more, near-duplicates left out.
    by : `str`
        A measure, see `unsure`.
    rarity : `Mapping[str, float]`, optional
        Weights of types, see `boost`.
    report : `Callable[[str], None]`
        Gets a line for each row that cannot be tagged.
    progress : `Callable[[int], Any]`
        Gets the number of sentences after each window of them.

    # Raises

    `ConfigurationError`, see `unsure`.
    """
    selection = Selection(number)
    for window in windows(rows, _WINDOW, _WINDOW_SIZE, lambda row: row.size):
        places: list[tuple[Row, Sentence]] = []
        for row in window:
            item = checked_input(row.item)
            try:
                if isinstance(item, Unreadable):
                    raise ValueError(item["error"])
                places += ((row, sentence) for sentence in tagger._sentences(item) if sentence.seen())
            except ValueError as error:
                report(f"{row.where}: left out: {error}")
        results = unsure(tagger, [sentence for _, sentence in places], by)
        for index, result in sorted(results, key=lambda pair: pair[0]):
            row, sentence = places[index]
            score = result.score if rarity is None else result.score * boost(result.expected, rarity)
            if selection.wants(score):
                selection.offer(score, sentence.words, _task(row, sentence, result, by))
        progress(len(places))
    tasks: list[Task] = selection.best()
    return tasks


def _task(row: Row, sentence: Sentence, result: Unsure, by: str) -> Task:
    item: dict[str, Any] = {"tokens": sentence.words}
    if sentence.text is not None and sentence.starts is not None:  # of a document, its part
        start, end = sentence.starts[0], sentence.starts[-1] + len(sentence.words[-1])
        text = sentence.text[start:end]
        sentence = sentence._replace(text=text, starts=[position - start for position in sentence.starts])
        item = {"sentence": text}
    kept = {key: value for key, value in row.kept.items() if key not in _NOT_KEPT}
    return Task(row._replace(kept={**kept, by: round(result.value, 4)}, item=item), sentence, result)
