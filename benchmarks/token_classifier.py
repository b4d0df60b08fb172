"""
Trains the token classifier of `transformers` on a corpus of the catalogue, as `roseq ablation` trains this project's
taggers: development F1 chooses the epoch, the whole test file is read once, conlleval's rules score both.

    python -m benchmarks.token_classifier wnut17 --encoder NAME --seed 1 --results results/wnut17.jsonl

The learning rate rises in the first tenth of the steps and falls linearly to 0. With --no-test the test file is not read.
"""

import argparse
import logging
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from allennlp.data import DatasetReader, Instance

from benchmarks.hugging_face import TokenClassifier
from benchmarks.ours import Sentence
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.data.corpora import SCHEME
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, gold_tags, read_labelled, score_of, words_of
from roseq_allennlp.experiments.ablation import named_vectors
from roseq_allennlp.experiments.measuring import held_out, revision, versions
from roseq_allennlp.experiments.results import Run, keep_result
from roseq_allennlp.scoring.conlleval import entities

EPOCHS = {"wnut16": 10, "wnut17": 10}
"""Those of the small corpora; the others have 5."""


def main() -> None:
    arguments = _arguments()
    logging.disable(logging.WARNING)
    corpus = CORPORA[arguments.corpus]
    reader = DatasetReader.by_name(corpus.reader)(language=corpus.language)
    train, dev = (read_labelled(reader, f"{SCHEME}://{arguments.corpus}/{split}") for split in ("train", "dev"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    epochs = arguments.epochs or EPOCHS.get(arguments.corpus, 5)
    values = {"learning_rate": arguments.learning_rate, "epochs": epochs, "batch_size": arguments.batch_size}
    classifier = TokenClassifier(
        arguments.encoder,
        [Sentence(words_of(instance), [tuple(span) for span in entities(gold_tags(instance))]) for instance in train],
        corpus.types,
        device,
        arguments.seed,
        num_train_epochs=epochs,
        learning_rate=arguments.learning_rate,
        per_device_train_batch_size=arguments.batch_size,
        lr_scheduler_type="linear",
        warmup_ratio=0.1,
    )
    best: dict[str, Any] = {"epoch": -1, "f1": -1.0}
    start = time.monotonic()

    def look(epoch: int) -> None:
        overall = score_of(tag(classifier, dev)).overall
        print(f"epoch {epoch}: development F1 {overall.f1:.2f}, {time.monotonic() - start:.0f} s", flush=True)
        if overall.f1 > best["f1"]:
            best.update(epoch=epoch, f1=overall.f1, overall=overall, state=classifier.state())

    classifier.train(look)
    seconds = time.monotonic() - start
    classifier.load_state(best["state"])
    test = None
    if not arguments.no_test:
        test = held_out(reader, f"{SCHEME}://{arguments.corpus}/test", partial(tag, classifier))
    run = Run(
        corpus=arguments.corpus,
        system="token_classifier",
        seed=arguments.seed,
        settings={"vectors": named_vectors(f"tuned:{arguments.encoder}"), **values},
        dev_f1=best["f1"],
        dev_precision=best["overall"].precision,
        dev_recall=best["overall"].recall,
        test_f1=None if test is None else test.overall.f1,
        best_epoch=best["epoch"],
        epochs=epochs,
        seconds=seconds,
        train_entities=dict(Counter(span.label for instance in train for span in entities(gold_tags(instance)))),
        revision=revision(),
        versions={**versions(), "transformers": version("transformers")},
        test=test,
    )
    print(f"development F1 {run.dev_f1:.2f}, test F1 {run.test_f1}, epoch {run.best_epoch}, {seconds / 60:.1f} minutes")
    if arguments.results:
        keep_result(arguments.results, run)


def tag(classifier: TokenClassifier, instances: Sequence[Instance]) -> list[TaggedSentence]:
    words = [words_of(instance) for instance in instances]
    return [
        TaggedSentence(sentence, gold_tags(instance), tags, {})
        for sentence, instance, tags in zip(words, instances, classifier.tags(words), strict=True)
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=list(CORPORA))
    parser.add_argument("--encoder", required=True, help="a name of the Hugging Face hub, or a folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, help=f"default: {EPOCHS}, 5 for the others")
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--results", type=Path, metavar="FILE", help="where to add the result, a line of JSON")
    parser.add_argument("--no-test", action="store_true", help="do not read the test file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
