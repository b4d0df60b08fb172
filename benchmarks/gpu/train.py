"""
`roseq`'s command line with kernels that give the same numbers each time, where CUDA has them; where it has none, torch
warns, and the log says which. With `--group` before it, `train` runs in a process group of one process, NCCL's on a GPU and
gloo's on the CPU: AllenNLP itself has none for fewer than two.

    python -m benchmarks.gpu.train [--group] train CONFIG -s DIRECTORY -o OVERRIDES
"""

import os
import sys
from typing import Any
from unittest import mock

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts

import torch
import torch.distributed as dist
from allennlp.commands.train import _train_worker
from allennlp.common import Params
from allennlp.common.util import find_open_port
from allennlp.training.util import make_vocab_from_params

from roseq_allennlp.__main__ import main as roseq


def main() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    if sys.argv[1] == "--group":
        _, _, _, config, _, directory, _, overrides = sys.argv
        train_in_group(config, directory, overrides)
    else:
        roseq()


def train_in_group(config: str, directory: str, overrides: str) -> None:
    """What AllenNLP does for `distributed`, with one process in the group."""
    params = Params.from_file(config, overrides)
    device = params["trainer"].pop("cuda_device")
    os.makedirs(directory)
    params.to_file(os.path.join(directory, "config.json"))
    vocabulary = os.path.join(directory, "vocabulary")
    make_vocab_from_params(params.duplicate(), directory).save_to_files(vocabulary)
    params["vocabulary"] = {"type": "from_files", "directory": vocabulary}
    initialise = dist.init_process_group

    def alone(**arguments: Any) -> None:
        initialise(**{**arguments, "world_size": 1})

    with mock.patch.object(dist, "init_process_group", alone):
        _train_worker(
            process_rank=0,
            params=params,
            serialization_dir=directory,
            include_package=[],
            primary_port=find_open_port(),
            world_size=2,  # what makes AllenNLP's trainer a distributed one
            distributed_device_ids=[device],
            distributed_params=Params({}),
            file_friendly_logging=True,
        )
    assert dist.get_world_size() == 1
    print(f"trained in a group of one under {dist.get_backend()}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
