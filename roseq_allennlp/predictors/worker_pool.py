import atexit
import contextlib
import gc
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, NoReturn, Optional

import torch

from roseq_allennlp.predictors.forking import gate

_AHEAD = 2  # items a process, of each `map`: one at work, one waiting


class WorkerPool:
    """
    Applies a function in processes of one thread each. They start with the first `map`, with the function as it is
    then, and end with the last `map` that runs (unless it says otherwise), with `close`, with the pool, or with the
    program that started them, however that ends. Several threads may be in `map`: they share the processes.

    On Linux the processes are forked, see `forking`; elsewhere spawned, so that a script needs
    `if __name__ == "__main__":` and the function is pickled. In a fork of the program the pool starts its own.

    # Parameters

    function : `Callable[[Any], Any]`
    processes : `int`
    """

    def __init__(self, function: Callable[[Any], Any], processes: int) -> None:
        self._function = function
        self._processes = processes
        self._workers: Optional[_Workers] = None
        self._lock = threading.RLock()  # for a few steps only: a generator that is collected may want it anywhere
        _pools.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkerPool, (self._function, self._processes)

    def map(self, items: Iterable[Any], keep: bool = False) -> Iterator[Any]:
        """
        The function's results in the order of `items`, which may be endless: two for each process are taken ahead. With
        `keep` the processes wait for the next `map`.

        # Raises

        `RuntimeError` if a process cannot be started or dies, and whatever the function raises. What `items` raises
        comes after the results of the items before it.
        """
        iterator, failure = iter(items), None
        workers: Optional[_Workers] = None
        pending: deque[_Ticket] = deque()
        try:
            while True:
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                except Exception as error:
                    failure = error
                    break
                if workers is None:
                    workers = self._enter()
                pending.append(workers.send(item))
                if len(pending) == _AHEAD * self._processes:
                    yield workers.result(pending.popleft())
            while workers is not None and pending:
                yield workers.result(pending.popleft())
            if failure is not None:
                raise failure
        finally:
            failure = None  # it holds this frame
            if workers is not None:
                self._leave(workers, keep)

    def close(self) -> None:
        """Ends the processes, and with an error each `map` that waits for them. A later `map` starts new ones."""
        with self._lock:
            workers, self._workers = self._workers, None
        if workers is not None:
            workers.end("The processes were ended by `close`.")

    def _enter(self) -> "_Workers":
        if (workers := self._enter_running()) is not None:
            return workers
        with gate.forking():  # one thread at a time
            if (workers := self._enter_running()) is not None:
                return workers
            workers = _Workers(self._function, self._processes)
            with self._lock:
                workers.users, self._workers = 1, workers
            return workers

    def _enter_running(self) -> "Optional[_Workers]":
        with self._lock:
            if self._workers is None or self._workers.ended:
                return None
            self._workers.users += 1
            return self._workers

    def _leave(self, workers: "_Workers", keep: bool) -> None:
        with self._lock:
            workers.users -= 1
            last = workers.users == 0 and not keep
            if last and self._workers is workers:
                self._workers = None
        if last:
            workers.end("No `map` was left.")

    def _forget(self) -> None:
        """In a fork of the program, whose processes these are not."""
        self._lock = threading.RLock()
        if self._workers is not None:
            self._workers.ended = "The processes are those of another program, of which this one is a fork."
            self._workers = None


class _Workers:
    """The processes of a pool from their start to their end."""

    def __init__(self, function: Callable[[Any], Any], processes: int) -> None:
        self.users = 0  # `map`s that run
        self.ended = ""  # why, once they have
        self._processes = processes
        self._all: list[_Worker] = []
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        try:
            with warnings.catch_warnings():
                # Python 3.12 warns of forking a process with threads: see `forking`, and `_work` for torch's.
                warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
                for _ in range(processes):
                    self._all.append(_Worker(context, function))
        except BaseException as error:
            reason = f"{processes} processes could not be started: {error}. Use fewer `processes`, or 1 for none."
            self.end(reason)
            if isinstance(error, OSError):
                raise RuntimeError(reason) from error
            raise

    def send(self, item: Any) -> "_Ticket":
        data = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        ticket = _Ticket(min(self._all, key=lambda worker: len(worker.tickets)))
        with self._end_if_broken():
            ticket.worker.send(ticket, data)
        return ticket

    def result(self, ticket: "_Ticket") -> Any:
        with self._end_if_broken():
            data = ticket.worker.receive(ticket)
        value, error, trace = pickle.loads(data)
        if error is not None:
            raise error from RuntimeError(f"in a process of the pool:\n{trace}")
        return value

    def end(self, reason: str) -> None:
        if self.ended:
            return
        self.ended = reason
        for worker in self._all:
            worker.process.kill()  # nothing in it is worth waiting for
        for worker in self._all:
            worker.process.join()
            with worker.sending, worker.receiving:  # whoever has one learns of the end now
                # First, or a process that is forked during `close` closes whatever file has the number by then.
                _connections.discard(worker.connection)
                worker.connection.close()

    @contextlib.contextmanager
    def _end_if_broken(self) -> Iterator[None]:
        try:
            if self.ended:
                raise EOFError
            yield
        except (EOFError, OSError) as error:
            self.end(
                f"One of the {self._processes} processes died before it had an answer: killed, or out of memory. Use"
                " fewer `processes`, or 1 to stay in this one."
            )
            raise RuntimeError(self.ended) from error
        except BaseException as error:  # a message may have been cut in two
            self.end(f"The processes were ended: another thread was interrupted by {type(error).__name__}.")
            raise


class _Worker:
    """A process, and this program's end of the pipe to it."""

    def __init__(self, context: Any, function: Callable[[Any], Any]) -> None:
        self.connection, other_end = context.Pipe()
        _connections.add(self.connection)
        try:
            self.process = context.Process(target=_work, args=(other_end, function), daemon=True)
            self.process.start()
        finally:
            other_end.close()
        self.tickets: deque[_Ticket] = deque()  # in the order of what was sent
        self.sending, self.receiving = threading.RLock(), threading.RLock()

    def send(self, ticket: "_Ticket", data: bytes) -> None:
        with self.sending:
            self.tickets.append(ticket)
            self.connection.send_bytes(data)

    def receive(self, ticket: "_Ticket") -> bytes:
        """Takes what comes, for any ticket, until that of this one has come."""
        while ticket.data is None:
            with self.receiving:
                if ticket.data is None:
                    data = self.connection.recv_bytes()
                    self.tickets.popleft().data = data
        return ticket.data


@dataclass(eq=False)
class _Ticket:
    """A result that is to come from a worker."""

    worker: _Worker
    data: Optional[bytes] = None


_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()
_connections: weakref.WeakSet[Any] = weakref.WeakSet()


def _after_fork() -> None:
    # A worker sees that the program has ended by the end of its pipe, so no other process may hold it.
    for end in list(_connections):
        with contextlib.suppress(OSError):  # another thread was closing it
            end.close()
    for pool in list(_pools):
        pool._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _work(connection: Any, function: Callable[[Any], Any]) -> NoReturn:
    """What a process of the pool does, until the other end of the pipe is closed."""
    # First of all: a fork has none of its parent's threads, and would wait for them in the first product of matrices.
    torch.set_num_threads(1)
    gc.freeze()  # what the parent had thrown away is the parent's to clean up
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # By a thread, so that the parent never waits with an item for this process while this one waits with a result.
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    while True:
        answer = _answer(function, inbox.get())
        try:
            connection.send_bytes(answer)
        except OSError:  # nobody wants it
            os._exit(1)


def _read(connection: Any, inbox: "queue.SimpleQueue[bytes]") -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            inbox.put(connection.recv_bytes())
    os._exit(0)


def _answer(function: Callable[[Any], Any], data: bytes) -> bytes:
    """A value, or an error and its trace."""
    try:
        return pickle.dumps((function(pickle.loads(data)), None, ""), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        trace = traceback.format_exc()
        try:
            answer = pickle.dumps((None, error, trace))
            pickle.loads(answer)  # not every error can be
        except Exception:
            answer = pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace))
        return answer


def end_with_parent() -> None:
    """For a thread of a process of `multiprocessing`: ends it when the process that started it ends, however that does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
