"""Whether the GPUs are there that a config or a command asks for."""

from typing import Any

import torch
from allennlp.common.checks import ConfigurationError


def check_device(device: Any, name: str = "cuda_device") -> None:
    """
    # Parameters

    device : `Any`
        Number of a GPU, negative for the CPU.
    name : `str`, optional (default = `"cuda_device"`)
        What it is called in the error.

    # Raises

    `ConfigurationError`: it is no number, or PyTorch does not find that GPU.
    """
    if type(device) is not int:
        raise ConfigurationError(f"{name} must be the number of a GPU, or -1 for the CPU; got {device!r}.")
    if device >= 0 and device >= (count := torch.cuda.device_count()):
        numbers = f"0 to {count - 1}" if count > 1 else "0 only" if count else "none"
        raise ConfigurationError(
            f"{name} is {device}, but the GPUs that PyTorch finds here are: {numbers}. Give one of them, or -1 for the CPU."
        )
