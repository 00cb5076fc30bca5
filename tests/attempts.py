"""Measurements on a machine that others use: measured again where disturbed, never held to a wider tolerance.

What disturbs a measurement makes it slower or later. So a test here asserts what physics forbids of every attempt, and what is
expected of an undisturbed one of the best of few; and while it measures it goes before others, where the system allows that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def going_first() -> Iterator[None]:
    """Go before other processes on the processors, as root may; threads and processes begun meanwhile do so too."""
    if not hasattr(os, "getpriority"):
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


def until_it_holds(attempt: Callable[[], None], tries: int = 3) -> None:
    """Run an attempt, which measures and asserts, until it holds; what the last of them asserts is what the test says."""
    with going_first():
        for _ in range(tries - 1):
            try:
                attempt()
            except AssertionError:
                continue
            return
        attempt()


def nearest(measure: Callable[[], float], expected: float, tolerance_share: float, tries: int = 3) -> float:
    """Return the value nearest to what is expected of at most so many; no further one is taken once one is near enough."""
    with going_first():
        best = measure()
        for _ in range(tries - 1):
            if abs(best - expected) <= tolerance_share * expected:
                break
            best = min(best, measure(), key=lambda value: abs(value - expected))
    return best
