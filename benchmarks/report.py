"""Results as a line on the screen, as JSON and as a Markdown table."""

import dataclasses
import importlib.metadata
import importlib.util
import json
import platform
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.flops import PASSES
from benchmarks.measure import Row

SYSTEMS = {  # package and module
    "allennlp": "allennlp",
    "allennlp-models": "allennlp_models",
    "pytorch-crf": "torchcrf",
    "torch-struct": "torch_struct",
    "flair": "flair",
    "spacy": "spacy",
    "transformers": "transformers",
    "accelerate": "accelerate",
}

NOTES = """\
Medians over turns of all systems in one process; "turns" is the smallest and largest ratio of one turn. A ratio is how
many times faster ours is, or, where the target is a largest value, ours divided by the other. What each row does:
[README](../README.md).

- bfloat16 is faster than float32 only where the processor computes in it.
- torch-struct has no target and is given for comparison, as is Flair against plain training.
- Tagging is promised on one thread; on two it is reported.
- spaCy: no trained pipeline is on the package index, so this is the shape of its small English one, `tok2vec` and
  `ner` only, trained here briefly. Its speed does not depend on the weights. The target is held against the faster
  way, one encoder for both; in `en_core_web_sm` `ner` has an encoder of its own, and both run."""


def installed() -> list[str]:
    return [name for name, module in SYSTEMS.items() if importlib.util.find_spec(module)]


def machine(device: torch.device) -> dict[str, Any]:
    found = {
        "processor": _processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "systems": {name: importlib.metadata.version(name) for name in installed()},
        "measured": time.strftime("%Y-%m-%d"),
    }
    return found | ({"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {})


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def as_dict(row: Row) -> dict[str, Any]:
    """For JSON: without the bound that the row does not have."""
    values = dataclasses.asdict(row) | {"ours": _rounded(row.ours), "theirs": _rounded(row.theirs)}
    return {name: value for name, value in values.items() if value is not None} | {"reached": row.reached}


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def line(row: Row) -> str:
    ratio, target = _ratio(row), _target(row)
    verdict = {True: "reached", False: "NOT reached", None: "no target"}[row.reached]
    return f"  {row.name:47} {row.against:34} {ratio:>9}  {target:>13}  {verdict:11}  {_medians(row)}"


def write(results: dict[str, Any], file: Path) -> None:
    """Writes `file`, JSON with a line for each ratio, and the table beside it, `.md`."""
    results = results | {"flops": [_with_shares(entry, results["ratios"]) for entry in results["flops"]]}
    file.parent.mkdir(parents=True, exist_ok=True)
    fields = [f"{json.dumps(name)}: {_json(value)}" for name, value in results.items()]
    file.write_text("{\n" + ",\n".join(fields) + "\n}\n", encoding="utf-8")
    table = file.with_suffix(".md")
    table.write_text(_markdown(results), encoding="utf-8")
    print(f"\nWritten to {file} and {table}")


def _json(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in value) + "\n]"


def _with_shares(flops: dict[str, Any], ratios: list[dict[str, Any]]) -> dict[str, Any]:
    """Adds what the measured rates come to, in operations a second and as a share of the peak."""
    rates = {row["name"]: row["ours"] for row in ratios if row["threads"] == flops["threads"] and row["name"] in PASSES}
    reached = {}
    for name, rate in rates.items():
        gflops = rate * PASSES[name] * flops["flop_per_token"]["total"] / 1e9
        reached[name] = {
            "tokens_per_second": rate,
            "gflops": round(gflops, 2),
            "share": round(gflops / flops["peak_gflops"], 4),
        }
    return flops | {"reached": reached}


def _markdown(results: dict[str, Any]) -> str:
    machine = results["machine"]
    where = ", ".join(
        [
            machine.get("gpu", machine.get("processor", "")),
            f"{machine.get('cores')} cores (load average {machine.get('load_before')} before)",
            f"torch {machine.get('torch')}",
        ]
    )
    versions = ", ".join(f"{name} {version}" for name, version in machine.get("systems", {}).items())
    parts = [
        f"# Side by side on {results['device']}",
        f"{where}; {versions}. Measured {machine.get('measured')} in {results['minutes']} minutes by `make bench`.",
        NOTES + "".join(f"\n- {note}" for note in results["notes"]),
        _ratio_table(results["ratios"]),
        _flop_tables(results["flops"]),
        _batch_table(results["batches"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _ratio_table(ratios: list[dict[str, Any]]) -> str:
    rows = [
        "| what | against | threads | ours | theirs | ratio | turns | target | reached |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for values in ratios:
        row = Row(**{"at_least": None, "at_most": None} | {key: val for key, val in values.items() if key != "reached"})
        verdict = {True: "yes", False: "**no**", None: "–"}[row.reached]
        ours, theirs = (f"{_number(value)} {row.unit}" for value in (row.ours, row.theirs))
        cells = [row.name, row.against, row.threads, ours, theirs, _ratio(row), _turns(row), _target(row), verdict]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def _flop_tables(flops: list[dict[str, Any]]) -> str:
    if not flops:
        return ""
    parts = flops[0]["flop_per_token"]
    lines = [
        "## Operations",
        "",
        "A forward pass takes, for a token of the tagged data: "
        + ", ".join(f"{name} {value / 1000:.1f}" for name, value in parts.items())
        + " kFLOP. Training counts three times that, adversarial training six times. The peak is measured with a "
        "product of two float32 matrices, 1024 × 1024 on a CPU and 8192 × 8192 on a GPU.",
        "",
        "| what | threads | tokens/s | GFLOP/s | peak GFLOP/s | share |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for entry in flops:
        for name, reached in entry["reached"].items():
            rate, gflops, share = reached["tokens_per_second"], reached["gflops"], reached["share"]
            peak = entry["peak_gflops"]
            lines.append(f"| {name} | {entry['threads']} | {_number(rate)} | {gflops} | {peak} | {share:.1%} |")
    return "\n".join(lines)


def _batch_table(batches: list[dict[str, Any]]) -> str:
    if not batches:
        return ""
    lines = [
        "## Training steps by batch size",
        "",
        "Words are without padding. Busy: the time in which something runs on the device, over all time.",
        "",
        "| system | batch size | tokens/s | ms a step | kernels a step | busy |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for entry in batches:
        rate, milliseconds = _number(entry["tokens_per_second"]), _number(entry["ms_a_step"])
        cells = [entry["system"], entry["batch_size"], rate, milliseconds, entry["kernels_a_step"]]
        lines.append("| " + " | ".join(map(str, cells)) + f" | {entry['busy']:.1%} |")
    return "\n".join(lines)


def _ratio(row: Row) -> str:
    # A row about memory has its size in place of a ratio, one about F1 the difference.
    return f"{row.ratio:.2f} {row.unit}" if row.unit in ("GiB", "points") else f"{row.ratio:.2f}×"


def _turns(row: Row) -> str:
    if row.repeats == 1:
        return "–"
    # A rate and a cost have what is ours above the line, a time of at-least rows below it.
    above = row.at_most is not None or row.unit.endswith("/s")
    pairs = zip(row.ours_repeats, row.theirs_repeats, strict=True)
    ratios = [ours / theirs if above else theirs / ours for ours, theirs in pairs]
    return f"{min(ratios):.2f}–{max(ratios):.2f}"


def _target(row: Row) -> str:
    if row.at_least is not None:
        return f"at least {row.at_least:g}"
    return "–" if row.at_most is None else f"at most {row.at_most:g}"


def _medians(row: Row) -> str:
    return f"{_number(row.ours)} against {_number(row.theirs)} {row.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 1000 else f"{value:.3g}"
