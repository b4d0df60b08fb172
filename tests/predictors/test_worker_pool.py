import gc
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
import torch

from roseq_allennlp.predictors import worker_pool
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
    results = list(pool.map(range(40)))
    assert [item for item, _ in results] == list(range(40))
    assert len({process for _, process in results}) == 2 and os.getpid() not in {process for _, process in results}
    assert list(pool.map([])) == []
    again = list(pool.map(range(3)))
    assert {process for _, process in again} <= {process for _, process in results}


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


def test_an_error_of_the_input_is_too(pool):
    with pytest.raises(ZeroDivisionError):
        list(pool.map(1 // number for number in (1, 0)))


def test_a_process_that_dies_is_an_error_and_others_follow(pool):
    with pytest.raises(RuntimeError, match="One of the 2 processes died.*fewer"):
        list(pool.map([1, "die", 2]))
    assert not children()
    assert [item for item, _ in pool.map([1, 2])] == [1, 2]


def test_a_pool_that_nobody_holds_ends():
    pool = WorkerPool(work, 2)
    list(pool.map([1]))
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
            "This process is multi-threaded, use of fork() may lead to deadlocks in the child.", DeprecationWarning
        )
        return launch_it(self, *arguments)

    launch_it = worker_pool.ProcessPoolExecutor.submit
    monkeypatch.setattr(worker_pool.ProcessPoolExecutor, "submit", launch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(next(pool.map([1]))) == 2


ENDS = """
import os, signal, sys
sys.path.insert(0, "roseq_allennlp/predictors")  # the module alone: the package takes long to import
from worker_pool import WorkerPool
pool = WorkerPool(lambda item: os.getpid(), 3)
results = pool.map(range(100))
print(*{next(results) for _ in range(50)}, flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a lambda is no function for spawned processes")
@pytest.mark.parametrize("end", ["killed", "ended"])
def test_processes_end_with_their_parent_however_it_ends(end):
    result = subprocess.run([sys.executable, "-c", ENDS, end], capture_output=True, text=True, timeout=120)
    assert result.returncode == (-signal.SIGKILL if end == "killed" else 0)
    assert end == "killed" or not result.stderr
    processes = [int(number) for number in result.stdout.split()]
    assert processes
    deadline = time.monotonic() + 20
    while any(map(is_running, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, processes))


def is_running(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
