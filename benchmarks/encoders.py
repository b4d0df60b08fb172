"""
The section `encoder`: tuning an encoder, tagging with it, and training on its features, beside what `transformers` and
AllenNLP have for the same encoder. As a process of its own it prints the peak memory of one of these, as JSON, in bytes,
before and after the work:

    python -m benchmarks.encoders WORK ENCODER SENTENCES
"""

import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import measure, ours
from benchmarks.measure import Row, clock, in_turn
from benchmarks.memory import peak_memory
from roseq_allennlp.data.catalogue import CORPORA

if TYPE_CHECKING:
    from benchmarks.sections import Context

SHARE = 4  # a pass over an encoder takes long: a quarter of the sentences that other sections train on
PIPELINE_BATCHES = (8, 32)  # the faster of them counts; texts one by one, which have no padding, are beside
PASSES_BEFORE_TAGGING = 6
GIB = 2**30
CPU = torch.device("cpu")
Work = Callable[[], Any]


def encoder(context: "Context") -> Iterator[Row]:
    """Speed and memory with an encoder; the rows of the other systems where these are installed."""
    sentences = context.training_data[: max(len(context.training_data) // SHARE, 5)]
    words = sum(len(sentence.words) for sentence in sentences)
    yield from _tuning(context, len(sentences), words)
    yield from _frozen(context, len(sentences), words)


def _tuning(context: "Context", sentences: int, words: int) -> Iterator[Row]:
    device, name = context.device, context.encoder
    plain, full = (_training(f"tuned:{name}", kind, sentences, device) for kind in ("", ours.ALL))
    passes: dict[str, measure.Clock] = {
        "plain": clock(plain.train_pass, device),
        "full": clock(full.train_pass, device),
    }
    classifier = None
    if importlib.util.find_spec("accelerate"):
        classifier = _token_classifier(name, sentences, device)
        passes["Trainer"] = classifier.train
    seconds = in_turn(passes, context.repeats)
    amount = (words, "words")
    if classifier is None:
        context.notes.append("accelerate is not installed: what transformers' Trainer trains was left out")
        return
    for title, kind, at_least in (("tuning an encoder", "plain", 1.3), ("tuning, LACRF + FL + AT", "full", 0.6)):
        yield measure.speed(title, "transformers' Trainer", seconds[kind], seconds["Trainer"], at_least, amount)
    yield from _memory(context, "tuning an encoder", "transformers' Trainer", ["tuned", name], ["trainer", name])
    yield from _memory(
        context, "tuning, LACRF + FL + AT", "transformers' Trainer", ["tuned-full", name], ["trainer", name]
    )
    while classifier.epochs < PASSES_BEFORE_TAGGING:
        classifier.train()
    yield from _tagging(context, plain.archive(), classifier.save())


def _tagging(context: "Context", archive: str, folder: str) -> Iterator[Row]:
    texts = _texts(context.test_data)
    tagger, pipeline = ours.load(archive, context.device), _pipeline(folder, context.device)
    work: dict[str, Work] = {"ours": lambda: list(tagger.tag_many(texts))}
    work |= {f"pipeline, {size}": partial(pipeline, texts, batch_size=size) for size in (1, *PIPELINE_BATCHES)}
    seconds = context.in_turn(**work)
    found = sum(len(answer["entities"]) for answer in tagger.tag_many(texts)), sum(map(len, pipeline(texts)))
    context.notes.append(
        f"Threads {torch.get_num_threads()}: entities found with an encoder: ours {found[0]}, pipeline {found[1]}"
    )
    size = min(PIPELINE_BATCHES, key=lambda size: sum(seconds[f"pipeline, {size}"]))
    name, peer, amount = "tagging with an encoder", f"pipeline, batches of {size}", (context.test_tokens, "words")
    yield measure.speed(name, peer, seconds["ours"], seconds[f"pipeline, {size}"], 2.0, amount)
    yield measure.speed(name, "pipeline, one by one", seconds["ours"], seconds["pipeline, 1"], None, amount)
    yield from _memory(context, name, peer, ["tagging", archive], [f"pipeline-{size}", folder])


def _frozen(context: "Context", sentences: int, words: int) -> Iterator[Row]:
    device, name = context.device, context.encoder
    with tempfile.TemporaryDirectory() as directory:
        wide = _wide_vectors(Path(directory) / "wide.txt", sentences)
        systems = {"frozen": f"frozen:{name}", "mismatched": f"mismatched:{name}", "wide": f"wide:{wide}"}
        trainings = {kind: _training(vectors, "", sentences, device) for kind, vectors in systems.items()}
        # The first pass, which computes the features, is the warm-up.
        seconds = in_turn(
            {kind: clock(training.train_pass, device) for kind, training in trainings.items()}, context.repeats
        )
    peer, row = "AllenNLP's mismatched embedder", "epoch on a frozen encoder"
    yield measure.speed(row, peer, seconds["frozen"], seconds["mismatched"], 15.0, (words, "words"))
    yield measure.cost(row, "fixed vectors of its width", seconds["frozen"], seconds["wide"], 1.3, (1000, "ms"))
    yield from _memory(context, row, peer, ["frozen", name], ["mismatched", name])


def _memory(context: "Context", name: str, against: str, *systems: list[str]) -> Iterator[Row]:
    """The peak of two processes of their own, once, since it does not depend on the threads."""
    if context.device.type != "cpu" or torch.get_num_threads() > 1:
        return
    peaks = []
    for system in systems:
        command = [sys.executable, "-m", "benchmarks.encoders", *system, str(len(context.training_data))]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        output = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
        peaks.append(json.loads(output.splitlines()[-1])[1] / GIB)
    yield Row(
        name=f"memory, {name}",
        against=against,
        threads=torch.get_num_threads(),
        ratio=round(peaks[0], 3),
        unit="GiB",
        ours=peaks[0],
        theirs=peaks[1],
        at_least=None,
        at_most=None,
        repeats=1,
        ours_repeats=[round(peaks[0], 3)],
        theirs_repeats=[round(peaks[1], 3)],
    )


def _training(vectors: str, components: str, sentences: int, device: torch.device) -> ours.Training:
    return ours.Training("roseq", components, device, sentences, vectors=vectors)


def _token_classifier(name: str, sentences: int, device: torch.device) -> Any:
    from benchmarks.hugging_face import TokenClassifier

    options = {"num_train_epochs": 1, "per_device_train_batch_size": 16, "learning_rate": 5e-5}
    return TokenClassifier(name, ours.read(ours.TRAIN, sentences), CORPORA["wnut17"].types, device, **options)


def _pipeline(folder: str, device: torch.device) -> Any:
    from benchmarks.hugging_face import entity_pipeline

    return entity_pipeline(folder, device)


def _texts(sentences: list[list[str]]) -> list[str]:
    return [" ".join(words) for words in sentences]


def _wide_vectors(file: Path, sentences: int) -> Path:
    """Random vectors for the words trained on."""
    words = {word.lower() for sentence in ours.read(ours.TRAIN, sentences) for word in sentence.words}
    draw = random.Random(1)
    lines = (" ".join([word, *(f"{draw.gauss(0, 1):.4f}" for _ in range(384))]) for word in sorted(words))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def main(work: str, name: str, number: int) -> None:
    sentences = max(number // SHARE, 5)
    texts = _texts([sentence.words for sentence in ours.read(ours.TEST, number * 2 // 5)])
    kind, _, size = work.partition("-")
    does: Work
    if kind == "tuned":
        does = _training(f"tuned:{name}", ours.ALL if size else "", sentences, CPU).train_pass
    elif kind in ("frozen", "mismatched"):
        does = _training(f"{kind}:{name}", "", sentences, CPU).train_pass
    elif kind == "trainer":
        does = _token_classifier(name, sentences, CPU).train
    elif kind == "tagging":
        tagger = ours.load(name, CPU)
        does = lambda: list(tagger.tag_many(texts))  # noqa: E731
    else:
        does = partial(_pipeline(name, CPU), texts, batch_size=int(size))
    before = peak_memory()
    does()
    print(json.dumps([before, peak_memory()]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
