from collections.abc import Callable, Iterator
from typing import Any


class WrappedDataLoader:
    """
    A data loader whose batches pass through a callback; everything else is the loader's own.

    # Parameters

    loader : `DataLoader`
    batches : `Callable[[], Iterator[TensorDict]]`
        Gives the batches of one epoch, drawn from `loader`.
    """

    def __init__(self, loader: Any, batches: Callable[[], Iterator[Any]]) -> None:
        self._loader = loader
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return self._batches()

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
