"""bfloat16 on a CPU, where an LSTM needs care."""

import contextlib
import threading
from collections.abc import Iterator

import torch

_KERNELS = threading.RLock()  # torch has one switch of oneDNN for all threads


def cpu_has_bfloat16_lstm() -> bool:
    """Whether this CPU has an LSTM in bfloat16: oneDNN's needs AVX-512 or the like, and torch has no other beside it."""
    return not torch.backends.mkldnn.is_available() or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextlib.contextmanager
def bfloat16_autocast(device: torch.device) -> Iterator[None]:
    """Autocast; on a CPU where oneDNN refuses an LSTM in bfloat16, with torch's own kernels, which are slow but work."""
    with contextlib.ExitStack() as stack:
        if device.type == "cpu" and not cpu_has_bfloat16_lstm():
            stack.enter_context(_KERNELS)
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        yield


@contextlib.contextmanager
def lstm_precision(device: torch.device) -> Iterator[bool]:
    """Gives whether an LSTM inside must compute in float32, because autocast asks for bfloat16 and this CPU refuses it."""
    refused = device.type == "cpu" and torch.is_autocast_enabled("cpu") and not cpu_has_bfloat16_lstm()
    with torch.autocast("cpu", enabled=False) if refused else contextlib.nullcontext():
        yield refused
