"""Step 1: the machine, what is installed, and that what PYTHONPATH holds is what is imported."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path
from typing import Optional

import torch

from benchmarks.gpu.findings import Findings, arguments

# Module and package; those that a machine may have in other versions are the ones to look at.
PACKAGES = {
    "roseq_allennlp": None,
    "allennlp": "allennlp",
    "transformers": "transformers",
    "huggingface_hub": "huggingface-hub",
    "tokenizers": "tokenizers",
    "spacy": "spacy",
    "thinc": "thinc",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "allennlp_models": "allennlp-models",
    "torchcrf": "pytorch-crf",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
}


def main() -> None:
    args = arguments(__doc__)
    findings = Findings(args.output / "environment.jsonl")
    findings.add("Python", platform.python_version())
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    findings.add("CPU", f"{cores} cores, {memory:.0f} GiB, {os.environ.get('OMP_NUM_THREADS')} threads")
    findings.add("torch", f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
    if args.device == "cuda":
        findings.add("a GPU", torch.cuda.is_available(), torch.cuda.is_available())
        _gpu(findings)
    for module, package in PACKAGES.items():
        _package(findings, module, package)
    start = time.monotonic()
    try:
        importlib.import_module("roseq_allennlp")
        findings.add("all of it imported, seconds", round(time.monotonic() - start, 1), True)
    except Exception as error:
        findings.add("all of it imported", f"{type(error).__name__}: {error}", False)
    findings.exit()


def _gpu(findings: Findings) -> None:
    properties = torch.cuda.get_device_properties(0)
    findings.add(
        "GPU", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, {properties.multi_processor_count} SMs"
    )
    free, total = torch.cuda.mem_get_info()
    findings.add("GPU memory free", f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB")
    findings.add("NCCL", ".".join(map(str, torch.cuda.nccl.version())))
    left = torch.rand(256, 256, device="cuda")
    difference = float((left @ left - (left.cpu() @ left.cpu()).cuda()).abs().max())
    findings.add("a product of matrices against the CPU's, largest difference", difference, difference < 1e-2)
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=driver_version,clocks.sm,power.limit", "--format=csv,noheader"]
        output = subprocess.run(query, capture_output=True, text=True).stdout
        findings.add("driver, clock, power", output.strip())


def _package(findings: Findings, module: str, package: Optional[str]) -> None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        findings.add(module, "not here", None if module in ("allennlp_models", "torchcrf", "xdist") else False)
        return
    version = importlib.metadata.version(package) if package else "of this checkout"
    origin = Path(spec.origin).resolve()
    entries = [Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    wanted = next((entry for entry in entries if (entry / module).is_dir()), None)
    expected = wanted is None or origin.is_relative_to(wanted)
    findings.add(module, version if expected else f"{version}, {origin.parent}", expected)


if __name__ == "__main__":
    main()
