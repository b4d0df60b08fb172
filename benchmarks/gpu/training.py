"""
Step 3: `roseq train` in float32 and with `use_amp`, a run that is killed and recovered against one that is not, and what
`evaluate`, `predict` and `report` make of the archive on the device and on the CPU.
"""

import json
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.gpu import runs
from benchmarks.gpu.findings import Findings, arguments

EPOCHS = 3
TRAIN, ROSEQ = "benchmarks.gpu.train", "roseq_allennlp"


class Step:
    def __init__(self, device: str, quick: bool, output: Path, work: Path) -> None:
        self.device, self.output = device, output
        self.source = runs.QUICK if quick else runs.FULL
        self.findings = Findings(output / "training.jsonl")
        self.unbroken, self.broken, self.amp = (work / name for name in ("unbroken", "recovered", "amp"))

    def log(self, name: str) -> Path:
        return self.output / f"training-{name}.log"

    def train(self, directory: Path, **overrides: Any) -> None:
        given = runs.training(self.source["config"], directory, self.device, EPOCHS, **overrides)
        runs.run(self.log(directory.name), TRAIN, *given)

    def train_and_recover(self) -> None:
        given = runs.training(self.source["config"], self.broken, self.device, EPOCHS)
        log = self.log(self.broken.name)
        runs.kill_in_second_epoch(runs.start(log, TRAIN, *given), self.broken, log)
        runs.run(log, TRAIN, *given, "--recover")

    def check_training(self, name: str, run: "Future[None]") -> bool:
        """Adds how a run has ended."""
        try:
            run.result()
        except (runs.CommandError, OSError) as error:
            self.findings.add(name, str(error), False)
            return False
        return True

    def compare_recovered(self) -> None:
        difference = runs.largest_difference(
            runs.checkpoint(self.unbroken, EPOCHS), runs.checkpoint(self.broken, EPOCHS)
        )
        lacking = runs.without_deterministic_kernel(self.log("unbroken"), self.log("recovered"))
        self.findings.add("operations without a deterministic kernel", ", ".join(lacking) or "none")
        self.findings.add(
            "killed in the second epoch and recovered: largest difference of a weight", difference, difference == 0
        )
        same = runs.metrics(self.unbroken) == runs.metrics(self.broken)
        self.findings.add("the same: metrics equal", same, same)

    def describe(self, name: str, directory: Path) -> None:
        metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
        f1, loss = metrics["best_validation_f1-measure-overall"], metrics["training_loss"]
        seconds = metrics["training_duration"]
        self.findings.add(
            f"{name}: {EPOCHS} epochs", f"development F1 {100 * f1:.2f}, training loss {loss:.3f}, {seconds}"
        )

    def compare_amp(self) -> None:
        low, full = (runs.metrics(directory)["training_loss"] for directory in (self.amp, self.unbroken))
        self.findings.add(
            "use_amp: training loss over that of float32", round(low / full, 4), abs(low / full - 1) < 0.1
        )

    def use_archive(self, pool: ThreadPoolExecutor) -> None:
        """All commands at once, on the device and on the CPU."""
        archive, test = str(self.unbroken / "model.tar.gz"), self.source["test"]
        devices = {self.device: "0" if self.device == "cuda" else "-1"}
        if self.device == "cuda":
            devices["cpu"] = "-1"
        started: dict[str, Future[None]] = {}
        for name, number in devices.items():
            on = ["--cuda-device", number]
            commands = {
                "evaluate": ["evaluate", archive, test, "--output-file", str(self.output / f"evaluate-{name}.json")],
                "predict": ["predict", archive, test, "--use-dataset-reader", "--silent", "--batch-size", "512"]
                + ["--output-file", str(self.output / f"predict-{name}.jsonl")],
            }
            if name == self.device:
                commands["report"] = ["report", archive, test, "-o", str(self.output / "report.html")]
            for command, given in commands.items():
                label = f"{command} on {name}"
                started[label] = pool.submit(runs.run, self.log(f"{command}-{name}"), ROSEQ, *given, *on)
        ended = {label: self.check_training(label, run) for label, run in started.items()}
        for label, succeeded in ended.items():
            if succeeded:
                self.findings.add(label, "exit status 0", True)
        if ended[f"evaluate on {self.device}"] and ended["evaluate on cpu"]:
            self.compare_scores()
        if ended[f"predict on {self.device}"] and ended["predict on cpu"]:
            self.compare_predictions()

    def compare_scores(self) -> None:
        on_device, on_cpu = (
            json.loads((self.output / f"evaluate-{name}.json").read_text(encoding="utf-8"))["f1-measure-overall"]
            for name in (self.device, "cpu")
        )
        self.findings.add(
            f"test F1 on {self.device} and on the CPU",
            f"{100 * on_device:.3f}, {100 * on_cpu:.3f}",
            abs(on_device - on_cpu) <= 0.002,
        )

    def compare_predictions(self) -> None:
        on_device, on_cpu = (
            [json.loads(line) for line in (self.output / f"predict-{name}.jsonl").read_text("utf-8").splitlines()]
            for name in (self.device, "cpu")
        )
        same = sum(one["tags"] == other["tags"] for one, other in zip(on_device, on_cpu))
        self.findings.add(
            f"sentences with the same tags on {self.device} and on the CPU",
            f"{same} of {len(on_cpu)}",
            len(on_device) == len(on_cpu) > 0 and same >= 0.99 * len(on_cpu),
        )
        differences = [
            abs(entity["probability"] - counterpart["probability"])
            for one, other in zip(on_device, on_cpu)
            if one["tags"] == other["tags"]
            for entity, counterpart in zip(one["entities"], other["entities"])
        ]
        largest = max(differences, default=0.0)
        self.findings.add("their entities, largest difference of a probability", round(largest, 6), largest < 0.02)


def main() -> None:
    args = arguments(__doc__)
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(5) as pool:
        step = Step(args.device, args.quick, args.output, Path(work))
        unbroken, recovered = pool.submit(step.train, step.unbroken), pool.submit(step.train_and_recover)
        amp = pool.submit(step.train, step.amp, **{"trainer.use_amp": True}) if step.device == "cuda" else None
        trained = step.check_training("float32", unbroken)
        if trained:
            step.describe("float32", step.unbroken)
            step.use_archive(pool)
        if step.check_training("killed and recovered", recovered) and trained:
            step.compare_recovered()
        if amp is None:
            step.findings.add("use_amp", "left out: AllenNLP's trainer has it on a GPU only")
        elif step.check_training("use_amp", amp):
            step.describe("use_amp", step.amp)
            if trained:
                step.compare_amp()
    step.findings.exit()


if __name__ == "__main__":
    main()
