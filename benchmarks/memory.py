"""
A process of its own that trains one step on one long sentence and prints its peak resident memory before and after, as
JSON, in bytes. It imports what a training run imports, none of the other systems.
"""

import json
import tempfile
from itertools import accumulate
from pathlib import Path

import torch

from benchmarks import ours

LONG_SENTENCE = 1300


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "long.conll"
        ours.write([long_sentence()], data)
        training = ours.Training("roseq", f"{ours.ALL},shapes", torch.device("cpu"), train=str(data))
        before = peak_memory()
        training.train_pass()
    print(json.dumps([before, peak_memory()]))


def long_sentence() -> ours.Sentence:
    """Sentences of the training data joined up to `LONG_SENTENCE` tokens."""
    sentences = ours.read(ours.TRAIN, LONG_SENTENCE)
    words = [word for sentence in sentences for word in sentence.words]
    starts = accumulate((len(sentence.words) for sentence in sentences), initial=0)
    entities = [
        (label, offset + start, offset + end)
        for offset, sentence in zip(starts, sentences, strict=False)  # the last start is the end of all
        for label, start, end in sentence.entities
        if offset + end <= LONG_SENTENCE
    ]
    return ours.Sentence(words[:LONG_SENTENCE], entities)


def peak_memory() -> int:
    # Not `getrusage`, whose value a process inherits from the one that starts it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    main()
