"""
Runs the benchmark: a process for each number of threads, then the results as JSON and as a table. See README.md.

    python -m benchmarks.run                              everything, into benchmarks/results/
    python -m benchmarks.run --only crf viterbi           a part of it, into runs/benchmarks/
    python -m benchmarks.run --device cuda
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from benchmarks import report

ROOT = Path(__file__).parents[1]
NAMES = (
    "crf",
    "viterbi",
    "training",
    "tagging",
    "latency",
    "step",
    "length",
    "bfloat16",
    "memory",
    "encoder",
    "batches",
)
ON_ONE = {"memory": "cpu", "batches": "cuda"}  # sections that are measured on one kind of device unless asked for
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS")


def main() -> int:
    arguments = _arguments()
    if arguments.worker:
        return _measure(arguments)
    start = time.time()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"This machine is busy (load average {load:.1f} on {cores} cores): what follows will be off.", flush=True)
    results: dict[str, Any] = {
        "device": arguments.device,
        "machine": {},
        "notes": [],
        "flops": [],
        "ratios": [],
        "batches": [],
    }
    failed = False
    for threads in arguments.threads:
        if threads > cores:
            print(f"{threads} threads: left out, the process may use {cores} cores only", flush=True)
            continue
        found = _run_worker(arguments, threads)
        if found is None:
            print("The benchmark stopped; no results were written.", file=sys.stderr)
            return 1
        results["machine"] = found["machine"] | {"cores": cores, "load_before": round(load, 2)}
        results["flops"] += filter(None, [found["flops"]])
        results["notes"] += found["notes"]
        results["ratios"] += found["ratios"]
        results["batches"] += found["batches"]
        failed |= found["failed"]
    results["minutes"] = round((time.time() - start) / 60, 1)
    complete = (
        set(arguments.only) >= set(_default_sections(arguments.device))
        and not failed
        and set(results["machine"].get("systems", ())) == set(report.SYSTEMS)
        and arguments.sentences == _DEFAULT_SENTENCES
        and arguments.repeats >= _DEFAULT_REPEATS
        and {row["threads"] for row in results["ratios"]} == set(_default_threads(arguments.device))
    )
    directory = arguments.output or ROOT / ("benchmarks/results" if complete else "runs/benchmarks")
    report.write(results, directory / f"{arguments.device.partition(':')[0]}.json")
    return int(failed)


_DEFAULT_SENTENCES = 1200
_DEFAULT_REPEATS = 5


def _default_sections(device: str) -> list[str]:
    return [name for name in NAMES if ON_ONE.get(name, device) == device.partition(":")[0]]


def _default_threads(device: str) -> list[int]:
    return [1, 2] if device == "cpu" else [1]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NAMES, help="sections to run")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--threads", nargs="+", type=int, help="default: 1 and 2, on a GPU 1")
    parser.add_argument("--repeats", type=int, default=_DEFAULT_REPEATS, help="turns of each pair after the warm-up")
    parser.add_argument(
        "--sentences", type=int, default=_DEFAULT_SENTENCES, help="trained on; two fifths as many are tagged"
    )
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[16, 64, 256], help="of the section `batches`")
    parser.add_argument(
        "--encoder",
        default=os.environ.get("ROSEQ_ENCODER", "sentence-transformers/all-MiniLM-L6-v2"),
        help="of the section `encoder`, a name of the Hugging Face hub or a folder; default: $ROSEQ_ENCODER, or %(default)s",
    )
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="no section, nor size of batch, begins after that many"
    )
    parser.add_argument("--output", type=Path, help="directory for the results, in place of those above")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads is None:
        arguments.threads = _default_threads(arguments.device)
    if arguments.only is None:
        arguments.only = _default_sections(arguments.device)
    if min(*arguments.threads, *arguments.batch_sizes) < 1 or arguments.repeats < 1 or arguments.sentences < 5:
        parser.error("--threads, --batch-sizes and --repeats must be at least 1, --sentences at least 5")
    return arguments


def _run_worker(arguments: argparse.Namespace, threads: int) -> Any:
    """What a process with this number of threads measured; `None` where it failed and has said why."""
    environment = dict(os.environ, TQDM_DISABLE="1", PYTHONWARNINGS="ignore", TOKENIZERS_PARALLELISM="false")
    environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "results.json"
        command = [sys.executable, "-m", "benchmarks.run", "--worker", str(file), "--device", arguments.device]
        command += ["--threads", str(threads), "--repeats", str(arguments.repeats)]
        command += ["--sentences", str(arguments.sentences), "--seconds", str(arguments.seconds)]
        command += [
            "--encoder",
            arguments.encoder,
            "--batch-sizes",
            *map(str, arguments.batch_sizes),
            "--only",
            *arguments.only,
        ]
        print(f"\n{threads} thread{'s' * (threads > 1)}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            return None
        return json.loads(file.read_text(encoding="utf-8"))


def _measure(arguments: argparse.Namespace) -> int:
    """The process that `_run_worker` starts."""
    # Here, since the number of threads must be in the environment before, and the first process needs none of this.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import torch
    from allennlp.common.checks import ConfigurationError

    from benchmarks import flops, sections

    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(f"--device {arguments.device}: PyTorch finds no such GPU here.", file=sys.stderr)
        return 1
    torch.set_num_threads(arguments.threads[0])
    until, rows, failed = time.monotonic() + arguments.seconds, [], False
    try:
        context = sections.Context(
            device,
            arguments.repeats,
            arguments.sentences,
            arguments.batch_sizes,
            arguments.encoder,
            until,
        )
    except ConfigurationError as error:  # data that is missing
        print(error, file=sys.stderr)
        return 1
    for name in arguments.only:
        if context.is_over:
            context.notes.append(f"The section {name} was left out: {arguments.seconds:.0f} seconds were over.")
            continue
        try:
            for row in sections.SECTIONS[name](context):
                rows.append(row)
                print(report.line(row), flush=True)
        except Exception as error:  # the others are worth as much without it
            traceback.print_exc()
            failed = True
            lines = str(error).strip().splitlines() or [""]
            context.notes.append(f"The section {name} failed: {type(error).__name__}: {lines[0][:200]}")
    for note in context.notes:
        print(f"  {note}", flush=True)
    rated = any(row.name in flops.PASSES for row in rows)
    results = {
        "machine": report.machine(device),
        "notes": context.notes,
        "flops": sections.account(context) if rated else None,
        "ratios": [report.as_dict(row) for row in rows],
        "batches": context.batches,
        "failed": failed,
    }
    Path(arguments.worker).write_text(json.dumps(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
