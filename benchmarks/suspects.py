"""
Finding labels that were changed on purpose: the ranking of `roseq suspects`, against cleanlab's on the same marginals.

    python -m benchmarks.suspects wnut17 -s runs/suspects
    python -m benchmarks.suspects conll2002-nl --sentences 4000 -s runs/suspects

5 % of the entities of the training data are changed, with a fixed seed: a third each is dropped, gets another type, or has an end
moved by a token. A ranking is measured by the share of changed entities among its first 100, 300 and N, where N is their
number. Errors that the data had before count as no errors. A stopped run goes on where it stopped. cleanlab (AGPL) is no
dependency of this project: without it its rows are left out.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import torch
from allennlp.common import Params
from allennlp.data import Batch

from roseq_allennlp.commands.suspects import Folds, tag_folds, train_folds
from roseq_allennlp.commands.with_allennlp import safer_functions
from roseq_allennlp.console import Console
from roseq_allennlp.data.catalogue import CONFIGS, CORPORA
from roseq_allennlp.data.tag_schemes import Span, from_spans, to_spans
from roseq_allennlp.data.training_mix import Sentence, write_sentences
from roseq_allennlp.experiments.folds import fold_config, training_sentences
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.scoring.suspects import Ranked, overlap, ranked
from roseq_allennlp.tables import markdown

SHARE, SEED = 0.05, 1
HEADERS = ("corpus", "ranked", "by", "first 100", "first 300", "first N", "all that are ranked")


class Change(NamedTuple):
    """An entity of a sentence, and what it was made into; `None` where it was dropped."""

    sentence: int
    before: Span
    after: Optional[Span]

    def touches(self, start: int, end: int) -> bool:
        span = Span("", start, end)
        return overlap(span, self.before) or (self.after is not None and overlap(span, self.after))


def changed(sentences: Sequence[Sentence], types: Sequence[str], seed: int) -> tuple[list[Sentence], list[Change]]:
    """Sentences with a share of their entities changed, and the changes."""
    generator = random.Random(seed)
    spans = [to_spans(tags, "BIOUL") for _, tags in sentences]
    entities = [(index, span) for index, of_sentence in enumerate(spans) for span in of_sentence]
    generator.shuffle(entities)
    number = round(SHARE * len(entities))
    changes: list[Change] = []
    for index, span in entities:
        if len(changes) == number:
            break
        others = [other for other in spans[index] if other != span]
        kind = len(changes) % 3
        after: Optional[Span] = None
        if kind == 1:
            after = span._replace(label=generator.choice([label for label in types if label != span.label]))
        elif kind == 2:
            moved = [(span.start + a, span.end + b) for a, b in ((-1, 0), (1, 0), (0, -1), (0, 1))]
            length = len(sentences[index].words)
            possible = [Span(span.label, *ends) for ends in moved if 0 <= ends[0] < ends[1] <= length]
            possible = [one for one in possible if not any(overlap(one, other) for other in others)]
            if not possible:
                continue
            after = generator.choice(possible)
        spans[index] = sorted([*others, *([after] if after else [])], key=lambda one: one.start)
        changes.append(Change(index, span, after))
    new = [
        Sentence(words, from_spans(own, len(words), "BIOUL")) for (words, _), own in zip(sentences, spans, strict=True)
    ]
    return new, changes


Place = tuple[int, int, int]
"""Sentence, and tokens `[start, end)`."""


def hits(places: Sequence[Place], changes: Sequence[Change]) -> list[bool]:
    """Whether each place is at a changed entity; further places at one that has been found are passed over."""
    of_sentence: dict[int, list[Change]] = {}
    for change in changes:
        of_sentence.setdefault(change.sentence, []).append(change)
    seen: set[Change] = set()
    result = []
    for sentence, start, end in places:
        touched = {change for change in of_sentence.get(sentence, ()) if change.touches(start, end)}
        if touched and touched <= seen:
            continue
        result.append(bool(touched))
        seen |= touched
    return result


def precisions(right: Sequence[bool], number: int) -> list[str]:
    """In percent, among the first 100, 300 and `number`; and how many of all are right."""
    shares = [f"{100 * sum(right[:first]) / first:.1f}" for first in (100, 300, number)]
    return [*shares, f"{sum(right)} of {len(right)}"]


@torch.inference_mode()
def marginals(folds: Folds) -> tuple[list[str], list[torch.Tensor]]:
    """The tags, and the out-of-fold probability of each at each token of each sentence."""
    result: dict[int, torch.Tensor] = {}
    labels: list[str] = []
    for run, indices in folds.runs.items():
        archive = load_archive(run)
        archive.model.eval()
        names = archive.model.vocab.get_token_to_index_vocabulary("labels")
        labels = labels or list(names)
        order = [names[label] for label in labels]
        for start in range(0, len(indices), 64):
            part = indices[start : start + 64]
            instances = [archive.dataset_reader.text_to_instance(folds.sentences[index].words) for index in part]
            for instance in instances:
                archive.dataset_reader.apply_token_indexers(instance)
            batch = Batch(instances)
            batch.index_instances(archive.model.vocab)
            output = archive.model(**batch.as_tensor_dict())
            values = archive.model.crf.marginals(output["emissions"], output["mask"])[..., order]
            for row, index in enumerate(part):
                result[index] = values[row, : len(folds.sentences[index].words)].clone()
    return labels, [result[index] for index in range(len(result))]


def of_cleanlab(folds: Folds, by_type: bool) -> Iterator[tuple[str, list[Place]]]:
    """
    Its rankings: tokens, of which one beside a token that is ranked before it is passed over, as annotators look at both at once;
    and sentences. `by_type` adds up the tags of a type, as its documentation does.
    """
    from cleanlab.token_classification import filter as issues
    from cleanlab.token_classification import rank

    labels, probabilities = marginals(folds)
    classes = sorted({tag.partition("-")[2] for tag in labels}) if by_type else labels
    number = {tag: classes.index(tag.partition("-")[2] if by_type else tag) for tag in labels}
    to_class = torch.zeros(len(labels), len(classes), dtype=torch.float64)
    for row, tag in enumerate(labels):
        to_class[row, number[tag]] = 1
    probs = [(values.double() @ to_class).numpy() for values in probabilities]
    given = [[number[tag] for tag in tags] for _, tags in folds.sentences]
    for way in ("self_confidence", "normalized_margin"):
        places: list[Place] = []
        for sentence, token in issues.find_label_issues(given, probs, return_indices_ranked_by=way):
            if not any(one == sentence and start - 1 <= token <= end for one, start, end in places):
                places.append((int(sentence), int(token), int(token) + 1))
        yield f"cleanlab, tokens, {way}", places
    scores, _ = rank.get_label_quality_scores(given, probs)
    order = sorted(range(len(scores)), key=lambda index: (scores[index], index))
    yield "cleanlab, sentences", [(index, 0, len(given[index])) for index in order]


RANKINGS: dict[str, Callable[[Ranked], float]] = {  # the first is that of the command, of which the order is kept
    "score": lambda one: 0.0,
    "share": lambda one: one.share,
    "probability of the labels": lambda one: one.suspect.probability,
    "odds": lambda one: -one.suspect.odds,
    "difference of the probabilities": lambda one: one.suspect.probability - one.suspect.proposed_probability,
}


def measured(corpus: str, folds: Folds, changes: Sequence[Change], console: Console) -> list[list[Any]]:
    ranking = ranked([one.evidence for one in tag_folds(folds, console)])
    number = len(changes)
    entities = sum(len(to_spans(tags, "BIOUL")) for _, tags in folds.sentences)
    kept = sum(change.after is not None for change in changes)
    rows: list[list[Any]] = [[corpus, "entities", "random order", *[f"{100 * kept / entities:.1f}"] * 3, ""]]
    for name, key in RANKINGS.items():
        order = sorted(ranking, key=key)
        places = [(one.sentence, one.suspect.span.start, one.suspect.span.end) for one in order]
        rows.append([corpus, "entities", name, *precisions(hits(places, changes), number)])
    try:
        for by_type in (False, True):
            for name, places in of_cleanlab(folds, by_type):
                is_whole = name.endswith("sentences")
                classes = "types" if by_type else "tags"
                row = precisions(hits(places, changes), number)
                rows.append([corpus, "sentences" if is_whole else "entities", f"{name}, {classes}", *row])
    except ImportError as error:
        console.say(f"cleanlab is left out: {error}")
    whole = [(index, 0, len(folds.sentences[index].words)) for index in dict.fromkeys(one.sentence for one in ranking)]
    rows.append([corpus, "sentences", "score of the worst suspect", *precisions(hits(whole, changes), number)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("--sentences", type=int, metavar="N")
    parser.add_argument("--components", default="", metavar="A,B", help="of lacrf, fl, at, best")
    parser.add_argument("--vectors", default="", help="as those of roseq ablation")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("-s", "--serialization-dir", default="runs/suspects", metavar="DIR")
    args = parser.parse_args()
    directory, console = Path(args.serialization_dir) / f"{args.corpus}-changed", Console()
    directory.mkdir(parents=True, exist_ok=True)
    variables = {
        "ROSEQ_CORPUS": args.corpus,
        "ROSEQ_COMPONENTS": args.components,
        "ROSEQ_VECTORS": args.vectors,
    }
    config = Params.from_file(CONFIGS / "ablation.jsonnet", "", variables).as_dict(quiet=True)
    if args.sentences:
        config["validation_dataset_reader"] = {**config["dataset_reader"]}
        config["dataset_reader"]["max_instances"] = args.sentences
    with safer_functions():
        reader, sentences = training_sentences(config, args.corpus)
        new, changes = changed(sentences, CORPORA[args.corpus].types, SEED)
        file = directory / "changed.conll"
        write_sentences(file, new)
        folds = train_folds(
            args.corpus, fold_config(config, reader, file), directory, args.folds, args.epochs, SEED, console
        )
        rows = measured(args.corpus, folds, changes, console)
    print(f"{len(changes)} entities are changed.\n\n{markdown(HEADERS, rows)}")
    (directory / "rows.json").write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
