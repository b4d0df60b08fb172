"""
A process is forked while no thread of it is inside a tagger.

A fork has one thread, and of the others' locks those that they held: of the table of words, of spaCy, of torch and
oneDNN. It would wait for them for ever, or find what they protect half written. So threads say when they are inside, and
every `os.fork`, of this package or of the program that uses it, waits until they are out; they go on when it is done.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Optional


class ForkGate:
    """Lets any number of threads inside at a time, or one fork. A thread that waits to fork counts as outside."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """As new: in the child nobody is inside, and who forked does not matter."""
        self._changed = threading.Condition()
        self._inside: set[int] = set()  # threads
        self._forking: Optional[int] = None  # the thread, or nobody
        self._depth = 0  # of its `close`
        self._was_inside = False

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Where locks may be held that a fork must not inherit. Not for long: forks wait for it."""
        thread = threading.get_ident()
        with self._changed:
            if self._forking not in (None, thread):
                self._changed.wait_for(lambda: self._forking is None)
            self._inside.add(thread)
        try:
            yield
        finally:
            with self._changed:
                self._inside.discard(thread)
                if self._forking is not None:
                    self._changed.notify_all()

    @contextlib.contextmanager
    def forking(self) -> Iterator[None]:
        """For one thread at a time, while nobody is inside; what it forks then does not wait."""
        try:
            self.close()
            yield
        finally:
            self.open()

    def close(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            if self._forking != thread:
                was_inside = thread in self._inside
                self._inside.discard(thread)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._forking is None)
                self._forking, self._was_inside = thread, was_inside
            self._depth += 1
            self._changed.wait_for(lambda: self._inside <= {thread})

    def open(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            if self._forking != thread:  # interrupted before its turn came
                return
            self._depth -= 1
            if self._depth <= 0:
                self._forking, self._depth = None, 0
                if self._was_inside:
                    self._inside.add(thread)
                self._changed.notify_all()


gate = ForkGate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=gate.close, after_in_parent=gate.open, after_in_child=gate.renew)
