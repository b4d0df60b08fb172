import atexit
import multiprocessing
import os
import signal
import sys
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, Optional

import torch

_AHEAD = 2  # items a process: one at work, one waiting
_function: Callable[[Any], Any]  # of a process of the pool


class WorkerPool:
    """
    Applies a function in processes of one thread each. They start with the first `map`, with the function as it is
    then, and end with `close`, with the pool, or with the program that started them, however that ends. On Linux they
    are forked; elsewhere spawned, so that a script needs `if __name__ == "__main__":` and the function is pickled.

    # Parameters

    function : `Callable[[Any], Any]`
    processes : `int`
    """

    def __init__(self, function: Callable[[Any], Any], processes: int) -> None:
        self._function = function
        self._processes = processes
        self._executor: Optional[ProcessPoolExecutor] = None
        _pools.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_executor": None}

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        """
        The function's results in the order of `items`, which may be endless: two for each process are taken ahead.

        # Raises

        `RuntimeError` if a process dies, and whatever the function raises.
        """
        pending: deque[Future] = deque()
        try:
            for item in items:
                pending.append(self._submit(item))
                if len(pending) == _AHEAD * self._processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            self.close()
            raise RuntimeError(
                f"One of the {self._processes} processes died before it had an answer: killed, or out of memory. Use"
                " fewer `processes`, or 1 to stay in this one."
            ) from error
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """Ends the processes; waits for what they are at. A later `map` starts new ones."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _submit(self, item: Any) -> Future:
        if self._executor is not None:
            return self._executor.submit(_apply, item)
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._executor = ProcessPoolExecutor(self._processes, context, _start, (self._function,))
        with warnings.catch_warnings():
            # Python 3.12 warns of forking a process with threads. Torch's are not used in the children, see `_start`.
            warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
            return self._executor.submit(_apply, item)


_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _start(function: Callable[[Any], Any]) -> None:
    # First of all: a fork has none of its parent's threads, and would wait for them in the first product of matrices.
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=end_with_parent, daemon=True).start()
    global _function
    _function = function


def end_with_parent() -> None:
    """For a thread of a process of `multiprocessing`: ends it when the process that started it ends, however that does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _apply(item: Any) -> Any:
    return _function(item)
