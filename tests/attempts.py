"""Measurements on a machine that others use: measured again where disturbed, never held to a wider tolerance.

What disturbs a measurement makes it slower or later. So a test here asserts what physics forbids of every attempt, and what is
expected of an undisturbed one of the best of few.
"""

from __future__ import annotations

from collections.abc import Callable


def until_it_holds(attempt: Callable[[], None], tries: int = 3) -> None:
    """Run an attempt, which measures and asserts, until it holds; what the last of them asserts is what the test says."""
    for _ in range(tries - 1):
        try:
            attempt()
        except AssertionError:
            continue
        return
    attempt()


def nearest(measure: Callable[[], float], expected: float, tolerance_share: float, tries: int = 3) -> float:
    """Return the value nearest to what is expected of at most so many; no further one is taken once one is near enough."""
    best = measure()
    for _ in range(tries - 1):
        if abs(best - expected) <= tolerance_share * expected:
            break
        best = min(best, measure(), key=lambda value: abs(value - expected))
    return best
