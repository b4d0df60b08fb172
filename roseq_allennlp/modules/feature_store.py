"""Features of sentences that a frozen encoder has computed, in memory and, beyond a limit, in a file."""

import logging
import mmap
import os
import tempfile
from typing import Any, Optional

import numpy as np
import torch

logger = logging.getLogger(__name__)
_CHUNK = 2**24  # numbers


class FeatureStore:
    """
    Tensors by key. They stay in memory up to a limit; later ones go to a file without a name, which the system maps into
    memory and which is gone when the process ends. Where that is not possible either, they are not kept.

    # Parameters

    max_memory : `int`
        Bytes that are kept in memory.
    directory : `str`, optional
        Where the file is; `None` for no file.
    """

    def __init__(self, max_memory: int, directory: Optional[str]) -> None:
        self._max_memory = max_memory
        self._directory = directory
        self._clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return FeatureStore, (self._max_memory, self._directory)

    def __len__(self) -> int:
        return len(self._features)

    def _clear(self) -> None:
        self._features: dict[bytes, torch.Tensor] = {}
        self._chunk = torch.empty(0)
        self._used = 0  # numbers of the chunk
        self.memory = 0  # bytes
        self.mapped = 0
        self.is_full = False

    def get(self, key: bytes) -> Optional[torch.Tensor]:
        """What was added under the key, float32 on the CPU, not to be changed."""
        return self._features.get(key)

    def add(self, key: bytes, features: torch.Tensor) -> torch.Tensor:
        """Keeps a copy, if there is room; gives what is to be used."""
        size = features.numel()
        if self._used + size > self._chunk.numel() and not self._next_chunk(max(size, _CHUNK)):
            return features
        stored = self._chunk[self._used : self._used + size].view(features.shape)
        stored.copy_(features)
        self._used += size
        self._features[key] = stored
        return stored

    def _next_chunk(self, size: int) -> bool:
        if self.is_full:
            return False
        if self.memory + 4 * size <= self._max_memory:
            self._chunk = torch.empty(size)
            self.memory += 4 * size
        elif (mapped := self._mapped(size)) is not None:
            self._chunk = mapped
            self.mapped += 4 * size
        else:
            self.is_full = True
            logger.warning(
                "transformer: the features of %d sentences fill the memory of %.1f GiB that they may have, and there is no"
                " room for a file; those of further sentences are computed anew each time",
                len(self),
                self.memory / 2**30,
            )
            return False
        self._used = 0
        return True

    def _mapped(self, size: int) -> Optional[torch.Tensor]:
        if self._directory is None:
            return None
        try:
            with tempfile.TemporaryFile(dir=self._directory) as file:
                os.posix_fallocate(
                    file.fileno(), 0, 4 * size
                )  # a full disk is noticed here, and not while it is written
                return torch.from_numpy(np.frombuffer(mmap.mmap(file.fileno(), 4 * size), np.float32))
        except OSError:
            return None
