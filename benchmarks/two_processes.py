"""
Real words a second of training with all three components: two processes of one thread each against one of one thread with
the doubled batch. What stands in the way: one process with the batches that each of the two has, and two that do not reduce
their gradients, and so do not wait for each other either.

    python -m benchmarks.two_processes

The runs take turns; printed are medians. Loading an epoch's first batch, validation and checkpoints are left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from allennlp.nn.util import get_text_field_mask
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.tables import markdown

CONFIG = "training_configs/roseq_wnut17.jsonnet"
TWO = {"distributed": {"cuda_devices": [-1, -1]}}
RUNS: dict[str, dict[str, Any]] = {
    "one process, batches of 32": {"data_loader.batch_size": 32},
    "two processes, batches of 16": TWO,
    "one process, batches of 16": {},
    "two processes, gradients not reduced": {**TWO, "trainer.callbacks": [{"type": "no_reduction"}]},
}


@TrainerCallback.register("epoch_speed")
class EpochSpeed(TrainerCallback):
    """Writes the words of each epoch, but for those of its first batch, and the seconds that they took."""

    def on_batch(self, trainer: Any, batch_inputs: Any, *args: Any, is_training: bool = True, **kwargs: Any) -> None:
        batch_number, now = args[3], time.perf_counter()
        if batch_number == 1:
            self._words, self._started = 0, now
        else:
            self._words += sum(int(get_text_field_mask(batch["tokens"]).sum()) for batch in batch_inputs)
        self._ended = now

    def on_epoch(self, trainer: Any, metrics: Any, epoch: int, *args: Any, **kwargs: Any) -> None:
        rank = dist.get_rank() if dist.is_initialized() else 0
        path = Path(self.serialization_dir or ".") / f"speed-{epoch}-{rank}.json"
        path.write_text(json.dumps([self._words, self._ended - self._started]))


@TrainerCallback.register("no_reduction")
class NoReduction(TrainerCallback):
    """Leaves the gradients of each process as they are."""

    def on_start(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        def as_it_is(state: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
            future: torch.futures.Future[torch.Tensor] = torch.futures.Future()
            future.set_result(bucket.buffer())
            return future

        trainer._pytorch_model.register_comm_hook(None, as_it_is)


def train(directory: Path, changes: dict[str, Any], epochs: int) -> float:
    """Words a second: the median of the epochs after the first."""
    config: dict[str, Any] = {
        "trainer.num_epochs": epochs,
        "trainer.patience": None,
        "trainer.validation_metric": "-loss",
        "validation_data_path": None,
        **changes,
    }
    callbacks = [{"type": "label_statistics"}, {"type": "adversarial", "epsilon": 5.0}, {"type": "epoch_speed"}]
    config["trainer.callbacks"] = callbacks + config.get("trainer.callbacks", [])
    command = [sys.executable, "-m", "roseq_allennlp", "train", CONFIG, "-s", str(directory), "-o", json.dumps(config)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [*command, "--include-package", "benchmarks.two_processes"], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    rates = []
    for epoch in range(1, epochs):
        shares = [json.loads(path.read_text()) for path in directory.glob(f"speed-{epoch}-*.json")]
        rates.append(sum(words for words, _ in shares) / max(seconds for _, seconds in shares))
    return statistics.median(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4, help="of a run; the first warms up")
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in RUNS}
    for _ in range(args.turns):
        for name, changes in RUNS.items():
            with tempfile.TemporaryDirectory() as directory:
                rates[name].append(train(Path(directory) / "run", changes, args.epochs))
            print(f"{name}: {rates[name][-1]:.0f} words/s", flush=True)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    one = next(iter(medians.values()))
    rows = [
        [name, f"{median:.0f}", f"{min(rates[name]):.0f} to {max(rates[name]):.0f}", f"{median / one:.2f}"]
        for name, median in medians.items()
    ]
    print(markdown(["", "words a second", "turns", "against one process"], rows))


if __name__ == "__main__":
    main()
