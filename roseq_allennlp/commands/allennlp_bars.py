"""The progress bars of AllenNLP's functions, as those of this package's commands."""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from allennlp.common.tqdm import Tqdm

from roseq_allennlp.console import Console

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def bars_shown(console: Console, title: str) -> Iterator[None]:
    """Within it, AllenNLP's progress bars are those of `console`; `title` is that of those without a title."""

    def tqdm(iterable: Iterable[Any], desc: str = title, total: Optional[float] = None, **kwargs: Any) -> _Shown:
        return _Shown(console, iterable, desc, total)

    with replaced(Tqdm, "tqdm", staticmethod(tqdm)):
        yield


class _Shown:
    """What AllenNLP uses of a bar of tqdm's."""

    def __init__(self, console: Console, items: Iterable[Any], title: str, total: Optional[float]) -> None:
        if total is None:
            # As tqdm does: the length of some data loaders draws random numbers.
            with contextlib.suppress(TypeError, AttributeError):
                total = len(items)  # type: ignore[arg-type]
        self._items, self._title, self._console = items, title, console
        self._total = None if total in (None, float("inf")) else int(total)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        started, count = time.monotonic(), 0
        with self._console.bar(self._total, self._title) as bar:
            for item in self._items:
                yield item
                count += 1
                bar.update()
        logger.info("%s: %d in %.1f s", self._title, count, time.monotonic() - started)

    def set_description(self, *args: Any, **kwargs: Any) -> None:
        """The metrics so far, which are too many for a line."""


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Within it, a module or class has another value of that name."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
