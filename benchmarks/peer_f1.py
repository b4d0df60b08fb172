"""
Trains another system on a corpus of the catalogue with the word vectors of RoSeq's config (GloVe 6B, 100-d, for English) or of a
file, as `roseq ablation` trains this project's taggers: at most 50 epochs, development F1 chooses one and ends the training after 15
without a better one, the whole test file is read once, conlleval's rules score both.

    TQDM_DISABLE=1 python -m benchmarks.peer_f1 crf_tagger wnut17 --seed 1 --results results/wnut17.jsonl
    python -m benchmarks.peer_f1 flair wnut17 --seed 1 --results results/wnut17.jsonl
    python -m benchmarks.peer_f1 spacy conll2002-nl --vectors e5.nl.100d.txt.gz --seed 1 --results results/conll2002-nl.jsonl

The systems are those of the benchmark (README.md), of the same sizes, with Adam at 0.001 and batches of 16; spaCy has its own
batches and rate. With --no-test the test file is not read.
"""

import argparse
import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.ours import VECTORS
from benchmarks.selection import Selection, System
from roseq_allennlp.data.catalogue import CORPORA

PACKAGES = {"crf_tagger": "allennlp-models", "flair": "flair", "spacy": "spacy"}


def main() -> None:
    arguments = _arguments()
    logging.disable(logging.WARNING)
    device = torch.device("cuda" if torch.cuda.is_available() and arguments.system != "spacy" else "cpu")
    torch.manual_seed(arguments.seed)
    selection = Selection(arguments.corpus, arguments.system, arguments.seed, patience=15)
    system = _train(arguments, selection, device)
    package = PACKAGES[arguments.system]
    settings: dict[str, Any] = {} if arguments.epochs == 50 else {"epochs": arguments.epochs}
    if arguments.vectors:
        settings["vectors"] = f"fixed:{Path(arguments.vectors).name}:100"
    selection.finish(system, settings, {package: version(package)}, arguments.results, read_test=not arguments.no_test)


def _train(arguments: argparse.Namespace, selection: Selection, device: torch.device) -> System:
    """The system, trained. What is not installed is needed for its own system alone, so imports stand here."""
    corpus, seed = arguments.corpus, arguments.seed
    vectors = arguments.vectors or VECTORS
    if arguments.system == "flair":
        from benchmarks.flair_tagger import FlairTagger

        flair = FlairTagger(selection.train, device, seed, vectors)
        selection.start()
        flair.train(arguments.epochs, lambda epoch: selection.look(flair, epoch))
        return flair
    from benchmarks.peers import CrfTaggerTraining, SpacyTagger

    system = (
        CrfTaggerTraining(device, seed, corpus, f"fixed:{arguments.vectors}" if arguments.vectors else "")
        if arguments.system == "crf_tagger"
        else SpacyTagger(selection.train, True, seed, passes=0, vectors=vectors, language=CORPORA[corpus].language)
    )
    selection.start()
    for epoch in range(arguments.epochs):
        system.train_pass()
        if not selection.look(system, epoch):
            break
    return system


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=list(PACKAGES))
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("--vectors", metavar="FILE", help="100-d; GloVe's if left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=50, help="at most (default: %(default)s)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="where to add the result, a line of JSON")
    parser.add_argument("--no-test", action="store_true", help="do not read the test file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
