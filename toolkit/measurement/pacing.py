"""A consumer that waits as an accelerator would compute: it takes a batch, is busy for the time of a step, and takes the next.

Sleeping overshoots by some tens of microseconds and, when others hold the processor, by more. That is the emulation's
fault and not the loader's: a batch that lay ready while the consumer overslept counts as taken when the step was due.
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.laws.storage_benchmark import busy_share

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Paced", "pace", "sleep_finely"]

_FORGIVEN_S: Final = 0.02
"""Oversleeping beyond this is not made good: the machine has no time for the consumer, and that is said by its utilisation."""

_LEAST_STEPS: Final = 4
_PR_SET_TIMERSLACK: Final = 29


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """When a consumer began, and when each of its steps was finished."""

    begun_s: float
    """When it first asked for data."""
    finished_s: tuple[float, ...]
    """When each step ended."""
    step_s: float
    """Seconds that a step computes."""

    @property
    def with_first_share(self) -> float:
        """Utilisation from the first request for data on."""
        return busy_share(self.finished_s, self.step_s, begun_s=self.begun_s)

    @property
    def without_first_share(self) -> float:
        """Utilisation without the first step, as MLPerf Storage defines it."""
        return busy_share(self.finished_s, self.step_s)

    def sustained_share(self, ahead_count: int) -> float:
        """Return the utilisation without the first step and those whose batches were made while nothing was consumed."""
        kept = self.finished_s[min(ahead_count, len(self.finished_s) - 2) :]
        return busy_share(kept, self.step_s)


def pace(steps: Iterator[object], step_s: float, step_count: int, most_s: float = math.inf) -> Paced:
    """Take ``step_count`` batches, one at a time, and be busy for ``step_s`` after each; fewer when ``most_s`` is over.

    Examples
    --------
    >>> import itertools
    >>> 0.99 < pace(itertools.repeat(None), 0.002, 20).without_first_share < 1.01
    True
    """
    begun_s = due_s = time.perf_counter()
    finished_s = []
    for _ in range(step_count):
        asked_s = time.perf_counter()
        next(steps)
        got_s = time.perf_counter()
        overslept_s, waited_s = asked_s - due_s, got_s - asked_s
        is_ready = waited_s <= overslept_s <= _FORGIVEN_S
        due_s = (due_s + waited_s if is_ready else got_s) + step_s
        finished_s.append(due_s)
        if (left_s := due_s - time.perf_counter()) > 0:
            time.sleep(left_s)
        if len(finished_s) >= _LEAST_STEPS and finished_s[-1] - begun_s > most_s:
            break
    return Paced(begun_s=begun_s, finished_s=tuple(finished_s), step_s=step_s)


def sleep_finely() -> None:
    """Ask Linux to wake this thread, and those it starts, on time rather than together with others.

    Source: prctl(2), PR_SET_TIMERSLACK; by default a sleep may end 50 microseconds late.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
