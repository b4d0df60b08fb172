"""Forks and threads. What must not hang runs in a thread that is joined with a time limit."""

import os
import signal
import threading
import time

import pytest

from roseq_allennlp.predictors.forking import ForkGate, gate

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@pytest.fixture
def start():
    """Starts a thread; all have to end within seconds."""
    threads = []

    def start(function, *arguments):
        threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a thread hangs"


def status(child):
    """Its exit status; one that takes longer than 10 seconds is killed."""
    for _ in range(1000):
        done, result = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(result)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"


def fork(function):
    child = os.fork()
    if not child:
        try:
            os._exit(function())
        finally:
            os._exit(99)
    return child


def test_a_fork_inherits_no_lock_that_is_held_inside(start):
    lock, halves, in_it = threading.Lock(), [0, 0], threading.Event()

    def work():
        for _ in range(20):
            with gate.inside(), lock:
                halves[0] += 1
                in_it.set()
                time.sleep(0.05)
                halves[1] += 1

    thread = start(work)
    in_it.wait()
    children = [fork(lambda: 0 if lock.acquire(timeout=2) and halves[0] == halves[1] else 1) for _ in range(3)]
    assert thread.is_alive()  # they did not wait until all was done
    assert [status(child) for child in children] == [0, 0, 0]


def test_who_comes_while_a_fork_waits_waits_too(start):
    gate, order = ForkGate(), []
    inside, may_leave = threading.Event(), threading.Event()

    def first():
        with gate.inside():
            inside.set()
            may_leave.wait()
            order.append("first")

    def forks():
        with gate.forking():
            order.append("fork")
            time.sleep(0.1)
            with gate.inside(), gate.forking():  # its own thread's are free
                order.append("fork")

    def second():
        with gate.inside():
            order.append("second")

    start(first)
    inside.wait()
    start(forks)
    while gate._forking is None:
        time.sleep(0.001)
    start(second)
    time.sleep(0.1)
    assert order == []
    may_leave.set()
    start(second).join(20)
    assert order[:3] == ["first", "fork", "fork"] and order[3:].count("second") >= 1


def test_threads_inside_may_fork_themselves(start):
    both = threading.Barrier(2)
    results = []

    def forks():
        with gate.inside():
            both.wait()
            results.append(status(fork(lambda: 7)))

    threads = [start(forks), start(forks)]
    for thread in threads:
        thread.join(20)
    assert results == [7, 7] and not gate._inside


def test_an_interrupted_wait_leaves_the_gate_open(start):
    gate, may_leave, inside = ForkGate(), threading.Event(), threading.Event()

    def first():
        with gate.inside():
            inside.set()
            may_leave.wait()

    start(first)
    inside.wait()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        with gate.forking():
            pytest.fail("did not wait")
    assert gate._forking is None
    with gate.inside():
        pass
    may_leave.set()
    with gate.forking():
        pass


def test_in_the_child_nobody_is_inside(start):
    may_leave, inside = threading.Event(), threading.Event()

    def other():
        with gate.inside():
            inside.set()
            may_leave.wait(10)

    def child():
        gate_of_child = threading.Thread(target=lambda: gate.close() or gate.open())
        gate_of_child.start()
        gate_of_child.join(5)
        return int(gate_of_child.is_alive())

    start(other)
    inside.wait()
    threading.Timer(0.2, may_leave.set).start()
    with gate.inside():
        assert status(fork(child)) == 0
