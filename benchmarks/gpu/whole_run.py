"""Step 6: one whole run of `roseq_wnut17`, its test F1 and its seconds."""

import json
import tempfile
import time
from pathlib import Path

from benchmarks.gpu import runs
from benchmarks.gpu.findings import Findings, arguments

ROSEQ = "roseq_allennlp"


def main() -> None:
    args = arguments(__doc__)
    findings = Findings(args.output / "whole_run.jsonl")
    source = runs.QUICK if args.quick else runs.FULL
    number = "0" if args.device == "cuda" else "-1"
    scores, log = args.output / "whole_run.json", args.output / "whole_run-train.log"
    with tempfile.TemporaryDirectory() as work:
        directory = Path(work) / "run"
        start, seen = time.monotonic(), set[Path]()
        try:
            overrides = json.dumps({"trainer.cuda_device": int(number)})
            run = runs.start(log, ROSEQ, "train", source["config"], "-s", str(directory), "-o", overrides)
            while run.poll() is None:  # so that it is known how far a run came that takes too long
                for file in sorted(set(directory.glob("metrics_epoch_*.json")) - seen):
                    seen.add(file)
                    print(f"{time.monotonic() - start:.0f} seconds: {file.stem}", flush=True)
                time.sleep(0.5)
            runs.finish(run, log)
            metrics = runs.metrics(directory)
            findings.add("seconds and epochs", f"{time.monotonic() - start:.0f}, {metrics['epoch'] + 1}")
            findings.add("development F1", round(100 * metrics["best_validation_f1-measure-overall"], 2))
            evaluate = ["evaluate", str(directory / "model.tar.gz"), source["test"], "--output-file", str(scores)]
            runs.run(log, ROSEQ, *evaluate, "--cuda-device", number)
            f1 = json.loads(scores.read_text(encoding="utf-8"))["f1-measure-overall"]
            findings.add("test F1", round(100 * f1, 2), f1 > 0)
        except runs.CommandError as error:
            findings.add("the run", str(error), False)
    findings.exit()


if __name__ == "__main__":
    main()
