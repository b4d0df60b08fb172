"""
Trains the token classifier of `transformers` on a corpus of the catalogue, as `roseq ablation` trains this project's
taggers: development F1 chooses the epoch, the whole test file is read once, conlleval's rules score both.

    python -m benchmarks.token_classifier wnut17 --encoder NAME --seed 1 --results results/wnut17.jsonl

The learning rate rises in the first tenth of the steps and falls linearly to 0. With --no-test the test file is not read.
"""

import argparse
import logging
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.hugging_face import TokenClassifier
from benchmarks.selection import Selection
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.experiments.ablation import named_vectors

EPOCHS = {"wnut16": 10, "wnut17": 10}
"""Those of the small corpora; the others have 5."""


def main() -> None:
    arguments = _arguments()
    logging.disable(logging.WARNING)
    epochs = arguments.epochs or EPOCHS.get(arguments.corpus, 5)
    selection = Selection(arguments.corpus, "token_classifier", arguments.seed)
    classifier = TokenClassifier(
        arguments.encoder,
        selection.train,
        selection.types,
        torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        arguments.seed,
        num_train_epochs=epochs,
        learning_rate=arguments.learning_rate,
        per_device_train_batch_size=arguments.batch_size,
        lr_scheduler_type="linear",
        warmup_ratio=0.1,
    )
    selection.start()
    classifier.train(lambda epoch: selection.look(classifier, epoch))
    values = {"learning_rate": arguments.learning_rate, "epochs": epochs, "batch_size": arguments.batch_size}
    selection.finish(
        classifier,
        {"vectors": named_vectors(f"tuned:{arguments.encoder}"), **values},
        {"transformers": version("transformers")},
        arguments.results,
        read_test=not arguments.no_test,
    )


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
