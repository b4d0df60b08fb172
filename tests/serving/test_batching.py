"""Batches: who is answered with whom, and what happens to whom."""

import asyncio
import threading

import pytest

from roseq_allennlp._serving.batching import Batcher, Failed, Item, QueueFull


class Answers:
    """Answers in a thread, when it is let; remembers the batches."""

    def __init__(self):
        self.batches, self.open = [], threading.Event()
        self.open.set()

    def __call__(self, values):
        self.batches.append(values)
        assert self.open.wait(10)
        if any(isinstance(value, str) for value in values):
            raise ValueError("not a number")
        return [2 * value for value in values]


def run(scenario, wait=0.0, queue=100):
    """A scenario of a batcher; returns the batches."""

    async def whole():
        answers = Answers()
        seen = []
        batcher = Batcher(answers, wait, queue, lambda *numbers: seen.append(numbers[:2]))
        batcher.start()
        await asyncio.wait_for(scenario(batcher, answers), 10)
        await batcher.stop()
        assert not len(batcher) and not batcher.is_running()
        return answers.batches, seen

    return asyncio.run(whole())


def items(*values, size=1):
    return [Item(value, size) for value in values]


async def started(batcher, *requests):
    """Tasks that wait for answers, all of them submitted."""
    tasks = [asyncio.ensure_future(batcher.submit(request)) for request in requests]
    await asyncio.sleep(0)
    return tasks


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_requests_that_come_together_are_a_batch():
    async def scenario(batcher, answers):
        tasks = await started(batcher, items(1, 2), items(3), items())
        assert await asyncio.gather(*tasks) == [[2, 4], [6], []]
        assert await batcher.submit(items(4)) == [8]

    assert run(scenario) == ([[1, 2, 3], [4]], [(2, 3), (1, 1)])


@pytest.mark.parametrize("wait, batches", [(0.0, [[1], [2]]), (0.5, [[1, 2]])])
def test_the_first_waits_for_others(wait, batches):
    async def scenario(batcher, answers):
        first = await started(batcher, items(1))
        await asyncio.sleep(0.05)
        assert await batcher.submit(items(2)) == [4] and await first[0] == [2]

    assert run(scenario, wait)[0] == batches


def test_others_gather_while_a_batch_is_answered():
    async def scenario(batcher, answers):
        answers.open.clear()
        tasks = await started(batcher, items(1))
        await until(lambda: answers.batches)
        tasks += await started(batcher, items(2), items(3))
        assert len(batcher) == 2
        answers.open.set()
        assert await asyncio.gather(*tasks) == [[2], [4], [6]]

    assert run(scenario)[0] == [[1], [2, 3]]


def test_a_full_queue_refuses():
    async def scenario(batcher, answers):
        answers.open.clear()
        tasks = await started(batcher, items(1))
        await until(lambda: answers.batches)
        tasks += await started(batcher, items(2), items(3))
        with pytest.raises(QueueFull):
            await batcher.submit(items(4))
        answers.open.set()
        assert await asyncio.gather(*tasks) == [[2], [4], [6]]
        assert await batcher.submit(items(5)) == [10]

    run(scenario, queue=2)


def test_a_short_request_does_not_wait_for_all_of_a_long_one():
    async def scenario(batcher, answers):
        long = items(*range(100), size=1000)
        tasks = await started(batcher, long, items(1000, size=1000))
        assert await tasks[1] == [2000] and not tasks[0].done()
        assert await tasks[0] == [2 * value for value in range(100)]

    batches, _ = run(scenario)
    assert 1000 in batches[0] and len(batches) > 3 and sum(map(len, batches)) == 101


def test_a_request_that_is_cancelled_leaves_the_queue():
    async def scenario(batcher, answers):
        answers.open.clear()
        tasks = await started(batcher, items(1))
        await until(lambda: answers.batches)
        tasks += await started(batcher, items(2), items(3))
        tasks[0].cancel()
        tasks[1].cancel()
        await asyncio.sleep(0)
        assert len(batcher) == 1
        answers.open.set()
        assert await tasks[2] == [6]

    assert run(scenario)[0] == [[1], [3]]


def test_one_that_fails_does_so_alone(caplog):
    async def scenario(batcher, answers):
        tasks = await started(batcher, items(1), items(2, "a secret"), items(3))
        assert await tasks[0] == [2] and await tasks[2] == [6]
        with pytest.raises(Failed):
            await tasks[1]
        assert await batcher.submit(items(4)) == [8]

    run(scenario)
    assert "ValueError in" in caplog.text and "secret" not in caplog.text and "not a number" not in caplog.text
