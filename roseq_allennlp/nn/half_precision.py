"""What is too large or too fine for float16 and bfloat16 is computed in float32."""

import torch


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """float32 for a half-precision type; any other type as it is."""
    return torch.promote_types(dtype, torch.float32)
