"""
How many labelled sentences it takes to come near the F1 of all, where `roseq select` chooses which, and at random.

    python -m benchmarks.active_learning wnut17 --seeds 1 -s runs/active_learning
    python -m benchmarks.active_learning conll2002-nl --sentences 4000 --vectors fixed:e5.nl.100d.txt.gz:100 -s runs/dutch

Random sentences of the training split are labelled at first, the same for all ways to choose. Then in each round more of the rest
are, chosen by the tagger of the round before, and a new tagger is trained from the start. A row of JSON for each training is added to
DIR/rows.jsonl: the sentences (`indices` in the training split), their tokens and entities, and the F1 on the development split,
which also chooses the epoch. Trainings that are in it are not made again. By disagreement three taggers choose, trained for that on the
same sentences; the F1 is that of one tagger, as of the other ways.
"""

import argparse
import copy
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

from allennlp.common import Params
from allennlp.data import DatasetReader

import roseq_allennlp
from benchmarks.finetuning import config_on, train
from roseq_allennlp.commands.with_allennlp import safer_functions
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.data.training_mix import Sentence as Labelled
from roseq_allennlp.data.training_mix import read_sentences
from roseq_allennlp.predictors.selection import Selection, boost, rarity
from roseq_allennlp.predictors.sentences import Sentence
from roseq_allennlp.predictors.uncertainty import unsure

WAYS = ("random", "entropy", "entropy a token", "margin", "entropy, rare", "disagreement")
_F1 = "best_validation_f1-measure-"
_START, _FULL = "start", "full"
_EPOCHS = 10  # at least
_BATCH = 16  # sentences, of the config


def entities(sentences: list[Labelled]) -> Counter[str]:
    return Counter(tag[2:] for sentence in sentences for tag in sentence.tags if tag[:2] in ("B-", "U-"))


def of_three(run: Path) -> Path:
    """The run of an ensemble on the same sentences."""
    return run.with_name(f"{run.name}-ensemble")


def chosen(way: str, run: Path, sentences: list[Labelled], labelled: list[int], number: int, seed: int) -> list[int]:
    """The indices of the sentences to label next."""
    pool = sorted(set(range(len(sentences))) - set(labelled))
    if way == "random":
        return random.Random(f"{seed} {len(labelled)}").sample(pool, number)
    tagger = roseq_allennlp.load(of_three(run) if way == "disagreement" else run)
    counts = entities([sentences[index] for index in labelled])
    weights = rarity({label: counts[label] for label in tagger.labels})
    selection = Selection(number)
    by = way if way in ("margin", "disagreement") else "entropy"
    for position, result in unsure(tagger, [Sentence(sentences[index].words) for index in pool], by):
        words = sentences[pool[position]].words
        score = result.score / len(words) if way == "entropy a token" else result.score
        score *= boost(result.expected, weights) if way == "entropy, rare" else 1.0
        selection.offer(score, words, pool[position])
    return selection.best()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument(
        "--sentences", type=int, metavar="N", help="of the training split, the first ones; all by default"
    )
    parser.add_argument(
        "--start", type=int, metavar="N", help="sentences labelled at first; as many as --number by default"
    )
    parser.add_argument(
        "--number", type=int, metavar="N", help="sentences of each round; a tenth of them all by default"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--updates", type=int, default=800, help="of each training, in epochs of its sentences, at least 10"
    )
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--ways", default="|".join(WAYS), help="separated by |")
    parser.add_argument("--vectors", default="", help="as those of roseq ablation")
    parser.add_argument("-s", "--serialization-dir", default="runs/active_learning", metavar="DIR")
    args = parser.parse_args()
    directory = Path(args.serialization_dir)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    done: dict[tuple[str, int, int], dict[str, Any]] = {(row["way"], row["seed"], row["round"]): row for row in rows}
    reader = DatasetReader.from_params(Params({"type": CORPORA[args.corpus].reader}))
    sentences = read_sentences(reader, f"corpus://{args.corpus}/train")[: args.sentences]
    number = args.number or round(len(sentences) / 10)
    start = args.start or number

    def labelled_in(way: str, seed: int, round_: int, indices: list[int]) -> tuple[Path, list[int]]:
        """Trains on these sentences, unless it has been done; the run, and the sentences it was trained on."""
        run = directory / f"{way.replace(', ', '-').replace(' ', '-')}-{seed}-{round_}"
        if (way, seed, round_) in done:
            return run, done[way, seed, round_]["indices"]
        data = [sentences[index] for index in sorted(indices)]
        epochs = max(_EPOCHS, math.ceil(args.updates / math.ceil(len(data) / _BATCH)))
        config = config_on(directory / f"{run.name}.conll", data, args.corpus, "", args.vectors, epochs, seed)
        train(Params(copy.deepcopy(config)), run)
        if way == "disagreement" or (way == _START and "disagreement" in args.ways.split("|")):
            config["model"] = {"type": "tagger_ensemble", "size": 3, "member": config["model"]}
            config["trainer"]["grad_norm"] *= math.sqrt(3)  # the norm of all three together, as in lib/roseq.libsonnet
            train(Params(config), of_three(run))
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        row = {
            **{"way": way, "seed": seed, "round": round_, "sentences": len(data)},
            **{"tokens": sum(len(words) for words, _ in data), "entities": dict(entities(data))},
            **{"dev": 100 * metrics[_F1 + "overall"], "best_epoch": metrics["best_epoch"]},
            "types": {label: round(100 * metrics[_F1 + label], 2) for label in CORPORA[args.corpus].types},
            "indices": indices,
        }
        done[way, seed, round_] = row
        with open(file, "a", encoding="utf-8") as output:
            output.write(json.dumps(row) + "\n")
        return run, indices

    with safer_functions():
        for seed in map(int, args.seeds.split(",")):
            labelled_in(_FULL, seed, 0, list(range(len(sentences))))
            first = labelled_in(_START, seed, 0, random.Random(seed).sample(range(len(sentences)), start))
            latest = dict.fromkeys(args.ways.split("|"), first)
            for round_ in range(1, args.rounds + 1):
                for way, (run, indices) in latest.items():
                    more = [] if (way, seed, round_) in done else chosen(way, run, sentences, indices, number, seed)
                    latest[way] = labelled_in(way, seed, round_, indices + more)


if __name__ == "__main__":
    main()
