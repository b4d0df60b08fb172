"""Measuring in turn: A B A B … in one process, medians, ratios."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import torch

Clock = Callable[[], float]  # does its work once and returns the seconds that one unit of it took


@dataclass(frozen=True)
class Row:
    """
    One ratio. `ours` and `theirs` are medians in `unit`. With `at_least`, `ratio` says how many times faster ours is;
    with `at_most`, how many times the cost of `theirs` ours is; with neither it is reported only.
    """

    name: str
    against: str
    threads: int
    ratio: float
    unit: str
    ours: float
    theirs: float
    at_least: Optional[float]
    at_most: Optional[float]
    repeats: int
    ours_repeats: list[float]
    theirs_repeats: list[float]

    @property
    def reached(self) -> Optional[bool]:
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ratio <= self.at_most


def clock(work: Callable[[], Any], device: torch.device, at_least: float = 0.0) -> Clock:
    """
    A clock of `work`, the device's part of it included. What is shorter than `at_least` seconds is repeated until it is
    not, and the mean of those repeats counts; how often is found at the first reading, the warm-up.
    """
    calls = 0

    def read() -> float:
        nonlocal calls
        if not calls:
            first = _seconds(work, 1, device)  # allocates, compiles, fills caches
            calls = 1 if first >= at_least else max(1, round(at_least / _seconds(work, 1, device)))
            return first
        return _seconds(work, calls, device) / calls

    return read


def _seconds(work: Callable[[], Any], calls: int, device: torch.device) -> float:
    synchronise(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turn(clocks: dict[str, Clock], repeats: int) -> dict[str, list[float]]:
    """Reads each clock once for warming up, and then all of them in turn, `repeats` times."""
    for read in clocks.values():
        read()
    seconds: dict[str, list[float]] = {name: [] for name in clocks}
    for _ in range(repeats):
        for name, read in clocks.items():
            seconds[name].append(read())
    return seconds


def speed(
    name: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    at_least: Optional[float] = None,
    amount: Optional[tuple[int, str]] = None,
) -> Row:
    """How many times faster ours is. `amount` of work, such as `(20000, "tokens")`, is given as a rate."""
    count, what = amount or (0, "")
    shown, shown_theirs = (
        [count / seconds if count else 1000 * seconds for seconds in repeats] for repeats in (ours, theirs)
    )
    ratio = statistics.median(theirs) / statistics.median(ours)
    return _row(name, against, ratio, f"{what}/s" if count else "ms", shown, shown_theirs, at_least, None)


def cost(
    name: str, against: str, ours: Sequence[float], theirs: Sequence[float], at_most: float, unit: tuple[float, str]
) -> Row:
    """What ours costs in terms of theirs. `unit` is how many of it make a second, and its name."""
    factor, what = unit
    shown, shown_theirs = ([factor * value for value in repeats] for repeats in (ours, theirs))
    ratio = statistics.median(ours) / statistics.median(theirs)
    return _row(name, against, ratio, what, shown, shown_theirs, None, at_most)


def _row(
    name: str,
    against: str,
    ratio: float,
    unit: str,
    ours: list[float],
    theirs: list[float],
    at_least: Optional[float],
    at_most: Optional[float],
) -> Row:
    return Row(
        name=name,
        against=against,
        threads=torch.get_num_threads(),
        ratio=round(ratio, 3),
        unit=unit,
        ours=statistics.median(ours),
        theirs=statistics.median(theirs),
        at_least=at_least,
        at_most=at_most,
        repeats=len(ours),
        ours_repeats=[float(f"{value:.5g}") for value in ours],
        theirs_repeats=[float(f"{value:.5g}") for value in theirs],
    )
