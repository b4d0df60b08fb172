"""The weights of an untrusted archive: tensors of finite numbers, and no more of them than the file holds."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from roseq_allennlp.files import check_saved
from roseq_allennlp.models.archive_config import ArchiveError

SAFETENSORS = "weights.safetensors"
MOST_NAMES = 16
"""Of one stored weight, such as those of a frozen encoder that the members of an ensemble share."""
_TEMPERATURE = "crf.temperature"  # of a `Tagger` that was calibrated at the end of its training
_HEADER = 2**24  # of safetensors, in bytes
_TIMES = 8  # building a model may take that many times the memory of its weights, and `_LEAST` in any case
_LEAST = 2**26  # numbers
_PART = 2**22  # numbers
_TENSORS = 50  # for each weight; and 1000 in any case


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """
    # Raises

    `ConfigurationError`: they cannot be read as tensors alone, would take more memory than the file is large, or are no
    finite real numbers.
    """
    try:
        if path.suffix == ".safetensors":
            with open(path, "rb") as file:
                if int.from_bytes(file.read(8), "little") > _HEADER:
                    raise ValueError("the header is too long")
            state = safetensors.torch.load_file(path)
        else:
            check_saved(path, earlier_format=False)
            # On the meta device tensors have shapes but no memory. `weights_only` is given, so no variable changes it.
            _check(torch.load(path, map_location="meta", weights_only=True), path.stat().st_size)
            state = torch.load(path, map_location="cpu", weights_only=True)
        _check(state, path.stat().st_size)
    except MemoryError:
        raise
    except Exception as error:  # of damaged bytes torch raises nearly anything
        raise ArchiveError(
            f"its weights ({path.name}) cannot be read as tensors: {error}. They are damaged,"
            " or hold objects that would run code: fetch the archive again, or do not trust its source."
        ) from error
    for name, tensor in state.items():
        if tensor.is_floating_point() and _any(torch.isnan, tensor):
            raise ArchiveError(f"its weight {name!r} holds NaN, so it tags nothing. Fetch it again, or train anew.")
    return dict(state)


def _check(state: Any, size: int) -> None:
    if not isinstance(state, Mapping) or not state:
        raise ValueError("they are no tensors by name")
    total = 0
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name!r} is no tensor with a name")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
            raise ValueError(f"{name!r} is no dense tensor of real numbers")
        total += tensor.numel() * tensor.element_size()
        if total > MOST_NAMES * size:
            raise ValueError(f"{name!r} is larger than the file")


def _any(test: Callable[[torch.Tensor], torch.Tensor], tensor: torch.Tensor) -> bool:
    """Part by part, so that the answers take little memory."""
    return any(test(part).any() for part in tensor.flatten().split(_PART))


def load_state(model: torch.nn.Module, state: dict[str, torch.Tensor], finite_buffers: bool) -> None:
    """`load_state_dict`, strict, without conversion to numbers of another kind."""
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise ValueError(f"missing: {missing[:3]}, unexpected: {unexpected[:3]}")
    parameters = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        if state[name].dtype != value.dtype and not (state[name].is_floating_point() and value.is_floating_point()):
            raise ValueError(f"{name} is of {state[name].dtype}, expected {value.dtype}")
        if (finite_buffers or name in parameters) and _any(torch.isinf, value):
            raise ValueError(f"{name} holds numbers that are not finite")


def temperature_of(state: Mapping[str, torch.Tensor]) -> float:
    """Returns the temperature that was saved with the weights, or 1 if none was."""
    value = state.get(_TEMPERATURE, torch.ones(()))
    return float(value) if value.numel() == 1 and 0 < float(value) < math.inf else 1.0


def temperature_in(path: Path) -> float:
    """`temperature_of` a file, of which nothing else is read; 1 where it cannot be read, which is said to who loads it."""
    with suppress(Exception):  # of damaged bytes torch raises nearly anything
        if path.suffix != ".safetensors":
            return temperature_of(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
        with safetensors.safe_open(path, "pt") as file:
            return temperature_of({_TEMPERATURE: file.get_tensor(_TEMPERATURE)})
    return 1.0


@contextmanager
def bounded_memory(state: dict[str, torch.Tensor]) -> Iterator[None]:
    """
    Within it, tensors are made in no greater number and size than a model with these weights needs.

    # Raises

    `ValueError` from what would make more.
    """
    with _Allocations(_LEAST + _TIMES * sum(map(torch.numel, state.values())), 1000 + _TENSORS * len(state)):
        yield


class _Allocations(TorchDispatchMode):
    def __init__(self, numbers: int, tensors: int) -> None:
        super().__init__()
        self._numbers = numbers
        self._tensors = tensors

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # PyTorch would import its compiler, for seconds, to keep this from being compiled; nothing is

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        declared = (argument.name for argument in func._schema.arguments)
        for argument, value in [*zip(declared, args, strict=False), *kwargs.items()]:
            if argument == "size" and isinstance(value, (list, tuple)):
                self._tensors -= 1
                self._numbers -= max(torch.Size(value).numel(), 0)
        if self._numbers < 0 or self._tensors < 0:
            raise ValueError("its config asks for a model that is much larger than its weights")
        return func(*args, **kwargs)
