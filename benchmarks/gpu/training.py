"""
Step 3: `roseq train` in float32 and with `use_amp`, a run that is killed and recovered against one that is not, and what
`evaluate`, `predict` and `report` make of the archive on the device and on the CPU.
"""

import json
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.gpu import runs
from benchmarks.gpu.findings import Findings, arguments

EPOCHS = 3
PRECISIONS: dict[str, dict[str, Any]] = {"float32": {}, "use_amp": {"trainer.use_amp": True}}
TRAIN, ROSEQ = "benchmarks.gpu.train", "roseq_allennlp"


class Step:
    def __init__(self, device: str, quick: bool, output: Path, work: Path) -> None:
        self.device, self.output, self.work = device, output, work
        self.source = runs.QUICK if quick else runs.FULL
        self.findings = Findings(output / "training.jsonl")

    def log(self, name: str) -> Path:
        return self.output / f"training-{name}.log"

    def train(self, precision: str, broken: bool) -> Path:
        """A run that is killed in its second epoch and recovered, if `broken`; its directory."""
        directory = self.work / (f"{precision}-recovered" if broken else precision)
        log = self.log(directory.name)
        given = runs.training(self.source["config"], directory, self.device, EPOCHS, **PRECISIONS[precision])
        if broken:
            runs.kill_in_second_epoch(runs.start(log, TRAIN, *given), directory, log, self.source["killed"])
            given.append("--recover")
        runs.run(log, TRAIN, *given)
        return directory

    def attempt(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """What it gives, `None` if it failed, which is a finding: the others are worth as much without it."""
        try:
            return work(*arguments)
        except Exception as error:
            self.findings.add(name, f"{type(error).__name__}: {error}", False)
            return None

    def describe(self, precision: str, directory: Path) -> None:
        metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
        f1, loss = metrics["best_validation_f1-measure-overall"], metrics["training_loss"]
        duration = metrics["training_duration"].partition(".")[0]
        self.findings.add(
            f"{precision}, {EPOCHS} epochs", f"development F1 {100 * f1:.2f}, training loss {loss:.3f}, {duration}"
        )

    def compare_recovered(self, precision: str, unbroken: Path, recovered: Path) -> None:
        lacking = runs.without_deterministic_kernel(self.log(unbroken.name), self.log(recovered.name))
        self.findings.add(f"{precision}: operations without a deterministic kernel", ", ".join(lacking) or "none")
        weights = (runs.checkpoint(directory, EPOCHS) for directory in (unbroken, recovered))
        difference = runs.largest_difference(*weights)
        self.findings.add(
            f"{precision}, killed in the second epoch and recovered: largest difference of a weight",
            difference,
            difference == 0,
        )
        same = runs.metrics(unbroken) == runs.metrics(recovered)
        self.findings.add(f"{precision}, the same: metrics are equal", same, same)

    def compare_amp(self, amp: Path, float32: Path) -> None:
        low, full = (runs.metrics(directory)["training_loss"] for directory in (amp, float32))
        self.findings.add(
            "use_amp: training loss over that of float32", round(low / full, 4), abs(low / full - 1) < 0.1
        )

    def use_archive(self, pool: ThreadPoolExecutor, run: Path) -> None:
        """All commands at once, on the device and on the CPU."""
        archive, test = str(run / "model.tar.gz"), self.source["test"]
        devices = {self.device: "0" if self.device == "cuda" else "-1"}
        if self.device == "cuda":
            devices["cpu"] = "-1"
        started: dict[str, Future[int]] = {}
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
        ended = [label for label, command in started.items() if self.attempt(label, command.result) == 0]
        for label in ended:
            self.findings.add(label, "exit status 0", True)
        if {f"evaluate on {self.device}", "evaluate on cpu"} <= set(ended):
            self.attempt("scores", self.compare_scores)
        if {f"predict on {self.device}", "predict on cpu"} <= set(ended):
            self.attempt("predictions", self.compare_predictions)

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
        same = sum(one["tags"] == other["tags"] for one, other in zip(on_device, on_cpu, strict=True))
        self.findings.add(
            f"sentences with the same tags on {self.device} and on the CPU",
            f"{same} of {len(on_cpu)}",
            len(on_device) == len(on_cpu) > 0 and same >= 0.99 * len(on_cpu),
        )
        differences = [
            abs(entity["probability"] - counterpart["probability"])
            for one, other in zip(on_device, on_cpu, strict=True)
            if one["tags"] == other["tags"]
            for entity, counterpart in zip(one["entities"], other["entities"], strict=True)
        ]
        largest = max(differences, default=0.0)
        self.findings.add("their entities, largest difference of a probability", round(largest, 6), largest < 0.02)


def main() -> None:
    args = arguments(__doc__)
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(6) as pool:
        step = Step(args.device, args.quick, args.output, Path(work))
        precisions = list(PRECISIONS) if args.device == "cuda" else ["float32"]
        started = {
            (precision, broken): pool.submit(step.train, precision, broken)
            for precision in precisions
            for broken in (False, True)
        }
        unbroken = {}
        for precision in precisions:
            directory = unbroken[precision] = step.attempt(precision, started[precision, False].result)
            if directory is not None:
                step.attempt(f"{precision}, metrics", step.describe, precision, directory)
            if directory is not None and precision == "float32":
                step.use_archive(pool, directory)
            recovered = step.attempt(f"{precision}, recovered", started[precision, True].result)
            if directory is not None and recovered is not None:
                step.attempt("the comparison", step.compare_recovered, precision, directory, recovered)
        if len(precisions) == 1:
            step.findings.add("use_amp", "left out: AllenNLP's trainer has it on a GPU only")
        elif all(unbroken.values()):
            step.attempt("use_amp against float32", step.compare_amp, unbroken["use_amp"], unbroken["float32"])
    step.findings.exit()


if __name__ == "__main__":
    main()
