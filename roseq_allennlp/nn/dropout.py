"""Dropout whose random numbers are cheap on the CPU."""

import torch


def dropout(values: torch.Tensor, p: float, training: bool) -> torch.Tensor:
    """
    `torch.nn.functional.dropout`, on the CPU from 16 random bits an entry in place of 64, several times as fast. The
    probability is rounded to a multiple of 2**-16, and what is kept is scaled by the rounded one, so it stays unbiased.
    """
    dropped = round(p * 2**16)
    if not training or values.device.type != "cpu" or not 0 < dropped < 2**16:
        return torch.nn.functional.dropout(values, p, training)
    bits = torch.empty(values.numel() // 4 + 1, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    keep = bits[: values.numel()].view(values.shape) >= dropped - 2**15
    return values * keep.to(values.dtype).mul_(2**16 / (2**16 - dropped))
