"""
Tags texts of more and more tokens, dense with entities, each in a process of its own, and prints the seconds of one CPU
thread and the peak resident memory of the process: `python -m benchmarks.documents`. A text comes as one sentence of
tokens, and as one document. The tagger has the sizes of the configs, word shapes on, or is `--archive`'s.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time

import torch

from benchmarks import ours
from benchmarks.memory import peak_memory

LENGTHS = (1_000, 10_000, 100_000)
KINDS = ("tokens", "text")


def dense_words(count: int) -> list[str]:
    """Entities of the training data, each with the word before it, over and over; a new word in each hundred."""
    words: list[str] = []
    for sentence in itertools.cycle(ours.read(ours.TRAIN)):
        for _, start, end in sentence.entities:
            words += sentence.words[max(start - 1, 0) : end]
        if len(words) % 100 < 3:
            words.append(f"w{len(words)}")
        if len(words) >= count:
            return words[:count]
    raise AssertionError("the training data never ends")


def measure(archive: str, kind: str, count: int) -> dict[str, float]:
    torch.set_num_threads(1)
    tagger = ours.load(archive, torch.device("cpu"))
    words = dense_words(count)
    tagger.tag("A first one, in Oslo.")
    before, start = peak_memory(), time.process_time()
    if kind == "tokens":
        answer = tagger.tag_tokens(words)
    else:
        answer = tagger.tag_document(" ".join(words))
    seconds = time.process_time() - start
    return {
        "tokens": len(answer["words"]),
        "entities": len(answer["entities"]),
        "sentences": len(answer.get("sentences", [0])),
        "seconds": seconds,
        "before": before / 2**20,
        "peak": peak_memory() / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", help="model.tar.gz of a tagger; one is trained if left out")
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "TOKENS"), help="this process alone measures")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.archive, args.measure[0], int(args.measure[1]))))
        return
    training = None if args.archive else ours.Training("roseq", f"{ours.ALL},shapes", torch.device("cpu"))
    archive = args.archive or training.archive()  # type: ignore[union-attr]
    print("input   tokens  sentences  entities  seconds  tokens/s  MiB before  MiB at peak")
    for kind, count in itertools.product(KINDS, LENGTHS):
        command = [sys.executable, "-m", "benchmarks.documents", "--archive", archive, "--measure", kind, str(count)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        print(
            f"{kind:6} {row['tokens']:7} {row['sentences']:10} {row['entities']:9} {row['seconds']:8.2f}"
            f" {row['tokens'] / row['seconds']:9.0f} {row['before']:11.0f} {row['peak']:12.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
