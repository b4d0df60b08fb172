"""Requests that come at the same time are tagged together."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

logger = logging.getLogger(__name__)
_BATCH_SIZE = 2**14  # what is in a batch, in the unit of `Item.size`
_SHARE = 2**11  # of one request, where others wait


class Item(NamedTuple):
    """
    # Parameters

    value : `Any`
        What is to be answered.
    size : `int`
        About how much work it is, in characters.
    """

    value: Any
    size: int


class QueueFull(Exception):
    """As many requests wait as may."""


class Failed(Exception):
    """The answer to an item has failed. What has failed is logged."""


class _Request:
    def __init__(self, items: Sequence[Item], future: "asyncio.Future[list[Any]]") -> None:
        self.items, self.future = items, future
        self.answers: list[Any] = []
        self.taken = 0  # items in this batch or an earlier one


class Batcher:
    """
    Answers requests of one or several items in batches, one batch at a time, in a thread of its own. While a batch is
    answered, others gather. A batch takes a share of each request in turn, so that a short one does not wait for all of a
    long one. It is used in one event loop.

    # Parameters

    answer : `Callable[[List[Any]], List[Any]]`
        Answers values of items. Where it fails, each is tried alone, so that only one that fails alone does.
    wait : `float`
        Seconds for which the first request of a batch waits for others.
    queue : `int`
        Requests that wait at most.
    observe : `Callable[[int, int, float], None]`, optional
        Is called after each batch with the number of its requests and items, and the seconds that it took.
    """

    def __init__(
        self,
        answer: Callable[[list[Any]], list[Any]],
        wait: float,
        queue: int,
        observe: Optional[Callable[[int, int, float], None]] = None,
    ) -> None:
        self._answer, self._wait, self._queue, self._observe = answer, wait, queue, observe
        self._waiting: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)
        self._task: Optional[asyncio.Task[None]] = None

    def __len__(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Gives up what waits, and waits for the batch that is answered."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for request in self._waiting:
            request.future.cancel()
        self._thread.shutdown()

    async def submit(self, items: Sequence[Item]) -> list[Any]:
        """
        The answers to items. A request whose task is cancelled leaves the queue.

        # Raises

        `QueueFull`; `Failed`.
        """
        if not items:
            return []
        if len(self._waiting) >= self._queue:
            raise QueueFull
        request = _Request(items, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._arrived.set()
        try:
            return await request.future
        finally:
            if request in self._waiting:
                self._waiting.remove(request)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if self._wait > 0:
                await asyncio.sleep(self._wait)
            batch = self._next_batch()
            if batch:
                started = loop.time()
                values = [item.value for _, items in batch for item in items]
                answers = iter(await loop.run_in_executor(self._thread, self._answers, values))
                for request, items in batch:
                    self._give(request, [next(answers) for _ in items])
                if self._observe is not None:
                    self._observe(len({id(request) for request, _ in batch}), len(values), loop.time() - started)
            if not self._waiting:
                self._arrived.clear()

    def _next_batch(self) -> list[tuple[_Request, Sequence[Item]]]:
        batch = []
        room = _BATCH_SIZE
        while self._waiting and room > 0:
            request = self._waiting.popleft()
            share = min(room, _SHARE) if self._waiting else room
            first = request.taken
            while request.taken < len(request.items) and share > 0:
                share -= request.items[request.taken].size
                room -= request.items[request.taken].size
                request.taken += 1
            batch.append((request, request.items[first : request.taken]))
            if request.taken < len(request.items):
                self._waiting.append(request)
        return batch

    def _answers(self, values: list[Any]) -> list[Any]:
        """Answers, and exceptions in the place of those that fail."""
        try:
            return self._answer(values)
        except Exception as error:
            if len(values) == 1:
                log_failure("an input", error)
                return [Failed()]
            return [answer for value in values for answer in self._answers([value])]

    @staticmethod
    def _give(request: _Request, answers: list[Any]) -> None:
        request.answers += answers
        if request.future.done():  # cancelled
            return
        failed = next((answer for answer in answers if isinstance(answer, Failed)), None)
        if failed is not None:
            request.future.set_exception(failed)
        elif len(request.answers) == len(request.items):
            request.future.set_result(request.answers)


def log_failure(what: str, error: BaseException) -> None:
    """Logs where an error has come from, but not its message, which may hold text of a request."""
    trace, places = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    logger.error("%s has failed: %s in %s", what, type(error).__name__, ", ".join(places[-5:]))
