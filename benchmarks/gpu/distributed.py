"""Step 4: an epoch in a process group of one process, NCCL's on a GPU and gloo's on the CPU, against a plain epoch."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.gpu import runs
from benchmarks.gpu.findings import Findings, arguments

TRAIN = "benchmarks.gpu.train"


def main() -> None:
    args = arguments(__doc__)
    findings = Findings(args.output / "distributed.jsonl")
    source = runs.QUICK if args.quick else runs.FULL
    logs = [args.output / f"distributed-{name}.log" for name in ("one_process", "group_of_one")]
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(2) as pool:
        plain, group = Path(work) / "plain", Path(work) / "group"

        def train(directory: Path, log: Path, *first: str) -> None:
            some = {"dataset_reader.max_instances": 800}
            runs.run(log, TRAIN, *first, *runs.training(source["config"], directory, args.device, 1, **some))

        started = {
            "plain": pool.submit(train, plain, logs[0]),
            "in a group": pool.submit(train, group, logs[1], "--group"),
        }
        for name, run in started.items():
            error = run.exception()
            findings.add(f"an epoch, {name}", "exit status 0" if error is None else str(error), error is None)
        if not any(run.exception() for run in started.values()):
            lacking = runs.without_deterministic_kernel(*logs)
            findings.add("operations without a deterministic kernel", ", ".join(lacking) or "none")
            difference = runs.largest_difference(runs.checkpoint(plain, 1), runs.checkpoint(group, 1))
            backend = "NCCL" if args.device == "cuda" else "gloo"
            findings.add(f"under {backend}: largest difference of a weight", difference, difference <= 1e-6)
    findings.exit()


if __name__ == "__main__":
    main()
