"""
Trains on generated sentences that are never all in memory, with ζ and the vocabulary counted from them, and prints the
resident memory of the process over time: `python -m benchmarks.streaming --sentences 2000000`.

The model is small, so that reading is most of the work; `max_instances_in_memory` is what is measured.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CONFIG = "training_configs/fixture.jsonnet"
EVERY = 10.0  # seconds between two readings
TYPES = ("person", "location", "corporation")


def sentences(count: int) -> Iterator[str]:
    """In the columns of WNUT, of a lexicon of 20 000 words."""
    draw = random.Random(1)
    words = ["".join(draw.choices("aeiourstlnm", k=draw.randint(2, 9))) for _ in range(20_000)]
    for _ in range(count):
        lines = [f"{word}\tO" for word in draw.choices(words, k=draw.randint(3, 10))]
        for _ in range(draw.randint(0, 1)):
            lines.append(f"{draw.choice(words).capitalize()}\tB-{draw.choice(TYPES)}")
        yield "\n".join(lines) + "\n\n"


def command(data: Path, run: Path, batches: int) -> list[str]:
    overrides = {
        "train_data_path": str(data),
        "data_loader": {
            "type": "multiprocess",
            "batch_size": 256,
            "shuffle": True,
            "max_instances_in_memory": 256 * batches,
        },
        "model.encoder.hidden_size": 8,
        "model.fusion.input_dim": 16,
        "model.fusion.hidden_dims": 16,
        "trainer.num_epochs": 1,
        "trainer.callbacks": [{"type": "label_statistics"}],
    }
    roseq = [sys.executable, "-m", "roseq_allennlp", "train", CONFIG, "-s", str(run), "--file-friendly-logging"]
    return [*roseq, "-o", json.dumps(overrides)]


def resident(pid: int) -> float:
    """In MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=2_000_000)
    parser.add_argument("--batches", type=int, default=40, help="batches of 256 sentences held at a time")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        data, run = Path(directory) / "train.conll", Path(directory) / "run"
        with open(data, "w", encoding="utf-8") as file:
            file.writelines(sentences(args.sentences))
        start = time.monotonic()
        with open(Path(directory) / "log", "w") as log:
            process = subprocess.Popen(command(data, run, args.batches), stdout=log, stderr=log)
            readings = []
            while process.poll() is None:
                readings.append((time.monotonic() - start, resident(process.pid)))
                print("{:8.0f} s {:8.0f} MiB".format(*readings[-1]), flush=True)
                time.sleep(EVERY)
        if process.returncode:
            sys.exit((Path(directory) / "log").read_text()[-3000:])
        weights = json.loads((run / "metrics.json").read_text())
        print("training loss", weights["training_loss"], "sentences", args.sentences)
    for part in range(5):
        tenth = readings[part * len(readings) // 5 : (part + 1) * len(readings) // 5]
        print(f"fifth {part + 1} of the time: at most {max(value for _, value in tenth):.0f} MiB")


if __name__ == "__main__":
    main()
