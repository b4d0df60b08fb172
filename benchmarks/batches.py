"""What a training step asks of the device, by batch size: words a second, kernels a step, share of time it is busy."""

import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.measure import synchronise
from benchmarks.ours import Training

STEPS = 4  # of each system and batch size
# Categories of the profiler's trace; the first are counted, all of them keep the device busy.
_ON_DEVICE = {"cuda": ("kernel", "gpu_memcpy", "gpu_memset"), "cpu": ("cpu_op",)}


def measure(training: Training, tokens: int, device: torch.device) -> dict[str, Any]:
    """
    Of passes over `tokens` words in `STEPS` batches, after one for warming up. `busy` is the time in which something
    runs on the device, as profiled, over the time of a pass that is not profiled. On a CPU, where it only shows that this
    works, a kernel is an operation of torch.
    """
    training.train_pass()
    seconds = min(_seconds(training, device) for _ in range(2))
    activity = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        _seconds(training, device)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "trace.json"
        profiler.export_chrome_trace(str(file))
        events = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    categories = _ON_DEVICE[device.type]
    spans = [(event["ts"], event["ts"] + event["dur"]) for event in events if event.get("cat") in categories]
    return {
        "tokens_per_second": round(tokens / seconds),
        "ms_a_step": round(1000 * seconds / STEPS, 2),
        "kernels_a_step": round(sum(event.get("cat") == categories[0] for event in events) / STEPS),
        "busy": round(covered(spans) / 1e6 / seconds, 4),
    }


def _seconds(training: Training, device: torch.device) -> float:
    synchronise(device)
    start = time.perf_counter()
    training.train_pass()
    synchronise(device)
    return time.perf_counter() - start


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of what the spans cover together, each `(start, end)`: what several cover counts once."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
