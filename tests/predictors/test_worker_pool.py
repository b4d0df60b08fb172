import functools
import gc
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from multiprocessing import popen_fork
from multiprocessing.connection import Connection

import pytest
import torch

from roseq_allennlp.predictors.worker_pool import WorkerPool


def work(item):
    if item == "threads":
        return torch.get_num_threads()
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "fail":
        raise KeyError("of its own")
    time.sleep(0.02 * (item % 3 == 0))
    return item, os.getpid()


def children():
    return [process for process in multiprocessing.active_children() if process.is_alive()]


@pytest.fixture
def pool():
    pool = WorkerPool(work, 2)
    yield pool
    pool.close()
    assert not children()


def test_results_are_in_order_and_of_several_processes(pool):
    results = list(pool.map(range(40), keep=True))
    assert [item for item, _ in results] == list(range(40))
    assert len({process for _, process in results}) == 2 and os.getpid() not in {process for _, process in results}
    assert list(pool.map([], keep=True)) == []
    again = list(pool.map(range(3)))
    assert {process for _, process in again} <= {process for _, process in results}
    assert not children()  # the last one did not keep them


def test_endless_input_is_read_a_little_ahead(pool):
    read = []
    results = pool.map(read.append(number) or number for number in itertools.count())
    assert [item for item, _ in itertools.islice(results, 10)] == list(range(10))
    assert len(read) <= 10 + 2 * 2
    results.close()
    assert [item for item, _ in pool.map(range(3))] == [0, 1, 2]  # nothing is left of it


def test_each_process_computes_on_one_thread(pool):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert list(pool.map(["threads"] * 3)) == [1, 1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_error_is_the_caller_s(pool):
    with pytest.raises(KeyError, match="of its own"):
        list(pool.map([1, "fail", 2]))
    assert [item for item, _ in pool.map([1, 2])] == [1, 2]


class Odd(Exception):
    """Cannot be unpickled: the constructor takes other arguments than `args`."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_an_error_that_cannot_be_sent_is_told():
    def function(item):
        raise Odd(item, threading.Lock()) if item else Odd(1, 2)

    pool = WorkerPool(function, 2)
    with pytest.raises(RuntimeError, match="Odd: 1 and 2"):
        list(pool.map([0]))
    pool = WorkerPool(lambda item: threading.Lock(), 2)
    with pytest.raises(TypeError, match="cannot pickle"):
        list(pool.map([0]))


@pytest.mark.parametrize("good", [0, 1, 3, 4, 5, 9])
def test_an_error_of_the_input_comes_after_the_results_before_it(pool, good):
    results = pool.map(1 / (number < good) for number in range(20))
    assert [item for item, _ in itertools.islice(results, good)] == [1.0] * good
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not children()


def test_ctrl_c_is_the_program_s_alone(pool):
    results = pool.map(range(100))
    next(results)
    for process in children():
        os.kill(process.pid, signal.SIGINT)  # the terminal sends it to all
    assert [item for item, _ in results] == list(range(1, 100))


def test_a_process_that_dies_is_an_error_and_others_follow(pool):
    with pytest.raises(RuntimeError, match="One of the 2 processes died.*fewer"):
        list(pool.map([1, "die", 2]))
    assert not children()
    assert [item for item, _ in pool.map([1, 2])] == [1, 2]


def test_a_process_that_dies_with_its_pipe_full():
    pool = WorkerPool(lambda item: os.kill(os.getpid(), signal.SIGKILL) if item[0] == 3 else item, 2)
    with pytest.raises(RuntimeError, match="died"):
        list(pool.map((number, bytes(5_000_000)) for number in range(20)))
    assert [number for number, _ in pool.map([(n, bytes(5_000_000)) for n in (7, 8, 9)])] == [7, 8, 9]
    pool.close()


def test_processes_that_cannot_be_started(pool, monkeypatch):
    forks = iter([os.fork])
    monkeypatch.setattr(os, "fork", lambda: next(forks, no_fork)())
    with pytest.raises(RuntimeError, match="2 processes could not be started.*Resource temporarily unavailable.*fewer"):
        list(pool.map([1, 2]))
    monkeypatch.undo()
    assert not children() and len(list(pool.map([1, 2]))) == 2


def no_fork():
    raise BlockingIOError(11, "Resource temporarily unavailable")


def in_threads(*functions):
    """What each gives or raises, in threads of their own."""
    results = {}

    def run(number, function):
        try:
            results[number] = function()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    return [results[number] for number in range(len(functions))]


def test_threads_share_the_processes(pool):
    most = []

    def goes_through(first):
        results = []
        for result in pool.map(range(first, first + 60)):
            results.append(result)
            most.append(len(children()))
        return results

    results = in_threads(*(functools.partial(goes_through, 100 * number) for number in range(8)))
    for number, result in enumerate(results):
        assert [item for item, _ in result] == list(range(100 * number, 100 * number + 60))
    assert max(most) == 2 and not children()


def test_a_map_that_waits_keeps_no_other_from_its_results(pool):
    waits, thrown_away = pool.map(range(1000)), pool.map(range(1000))
    assert [next(waits)[0], next(thrown_away)[0]] == [0, 0]
    assert [[item for item, _ in pool.map(range(50))], *in_threads(lambda: len(list(pool.map(range(50)))))] == [
        list(range(50)),
        50,
    ]
    in_threads(thrown_away.close)  # by another thread
    assert [item for item, _ in itertools.islice(waits, 50)] == list(range(1, 51))
    assert len(children()) == 2
    del waits
    assert not children()


def test_all_threads_learn_of_a_death(pool):
    both = threading.Barrier(2)

    def input_of(last):
        yield 1
        both.wait()
        yield from [1, 2, 3, last]
        yield from range(10_000)

    errors = in_threads(lambda: list(pool.map(input_of("die"))), lambda: list(pool.map(input_of(4))))
    assert all(isinstance(error, RuntimeError) and "One of the 2 processes died" in str(error) for error in errors)
    assert not children() and len(list(pool.map([1, 2]))) == 2


def test_closing_the_pool_is_an_error_for_who_waits(pool):
    def close():
        time.sleep(0.2)
        pool.close()

    error, _ = in_threads(lambda: list(pool.map(itertools.count())), close)
    assert isinstance(error, RuntimeError) and "ended by `close`" in str(error)
    assert not children()


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_a_process_that_starts_while_a_pipe_closes_keeps_its_own(pool, monkeypatch):
    """The file's number is free before the connection knows that it is closed, and may be that of the next pipe."""
    close, answers = Connection._close, []

    def close_while_another_starts(self):
        close(self)
        if self is last:
            answers.extend(other.map([1]))

    last, other = list(pool._enter()._all)[-1].connection, WorkerPool(work, 1)
    monkeypatch.setattr(Connection, "_close", close_while_another_starts)
    pool.close()
    assert [item for item, _ in answers] == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_a_fork_of_the_program_has_processes_of_its_own(pool):
    def in_child(queue):
        queue.put(len(list(pool.map(range(10)))))
        try:
            next(results)
        except RuntimeError as error:
            queue.put(str(error))
        results.close()
        pool.close()
        gc.collect()
        queue.put("done")

    results = pool.map(range(100))
    assert next(results)[0] == 0
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=in_child, args=(queue,))
    process.start()
    assert queue.get(timeout=30) == 10 and "of which this one is a fork" in queue.get(timeout=30)
    assert queue.get(timeout=30) == "done"
    process.join(30)
    assert process.exitcode == 0
    assert [item for item, _ in results] == list(range(1, 100))  # the parent's are still there


class Rubbish:
    def __init__(self, path):
        self.path, self.myself = path, self

    def __del__(self):
        with open(self.path, "a") as file:
            file.write(f"{os.getpid()}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_what_the_program_threw_away_is_not_finalised_twice(tmp_path):
    gc.disable()
    try:
        Rubbish(tmp_path / "log")
        pool = WorkerPool(lambda item: gc.collect(), 2)
        list(pool.map(range(4)))
        gc.collect()
    finally:
        gc.enable()
    assert (tmp_path / "log").read_text() == f"{os.getpid()}\n"


def test_a_pool_that_nobody_holds_ends():
    pool = WorkerPool(work, 2)
    list(pool.map([1], keep=True))
    assert len(children()) == 2
    del pool
    gc.collect()
    deadline = time.monotonic() + 20
    while children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children()


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_forking_is_not_warned_of(pool, monkeypatch):
    # What Python 3.12 does where there are threads.
    def launch(self, *arguments):
        warnings.warn(
            "This process is multi-threaded, use of fork() may lead to deadlocks in the child.",
            DeprecationWarning,
            stacklevel=2,
        )
        return launch_it(self, *arguments)

    launch_it = popen_fork.Popen._launch
    monkeypatch.setattr(popen_fork.Popen, "_launch", launch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(next(pool.map([1]))) == 2


def start_processes(end, pipe):
    pool = WorkerPool(work, 3)
    results = pool.map(range(100))
    pipe.send({next(results)[1] for _ in range(50)})
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
@pytest.mark.parametrize("end", ["killed", "ended"])
def test_processes_end_with_their_parent_however_it_ends(end):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    program = context.Process(target=start_processes, args=(end, theirs))
    program.start()
    bystander = context.Process(target=time.sleep, args=(60,))  # holds nothing that keeps them
    bystander.start()
    processes = ours.recv()
    program.join(60)
    assert program.exitcode == (-signal.SIGKILL if end == "killed" else 0)
    assert len(processes) == 3
    deadline = time.monotonic() + 20
    while any(map(is_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, processes))
    bystander.kill()
    bystander.join()


def is_running(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
