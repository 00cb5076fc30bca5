"""What a run says of itself while it is under way: which process, how many windows of it, and about how long is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from toolkit.measurement.durations import left_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.engine import Progress
    from toolkit.measurement.durations import Expected

__all__ = ["UnderWay"]


class UnderWay:
    """The progress of a run of ``measure``.

    Parameters
    ----------
    progress : callable, optional
        Told how far the run is.
    expected : Expected
        What it should take.
    now_s : callable
        The clock.
    """

    def __init__(self, progress: Progress | None, expected: Expected, now_s: Callable[[], float] = time.perf_counter) -> None:
        self.progress = progress
        self.expected = expected
        self._now_s = now_s
        self._started_s = now_s()
        self._searching_since_s: dict[tuple[int, int], float] = {}

    def show(self, lines: Sequence[Mapping[str, Any]], invocation: int, host: int, where: str = "") -> None:
        """Say how far an invocation of a host is, by the lines it has printed; those beyond the plan's are retakes."""
        if self.progress is None:
            return
        planned = next((int(line["window_count"]) for line in lines if line["kind"] == "plan"), 0)
        done = sum(line["kind"] == "window" for line in lines)
        is_again = invocation >= self.expected.invocation_count
        what = "ceilings again" if is_again else f"process {invocation + 1} of {self.expected.invocation_count}"
        if not planned:
            detail = f"{what}{where}: starts"
        else:
            shown = {"window": "metric", "searching": "what"}
            latest = next((line[shown[line["kind"]]] for line in reversed(lines) if line["kind"] in shown), "")
            detail = f"{what}{where}: {done} of {planned} windows, {latest}"
        if done:
            windows_s = self.expected.again_s if is_again else self.expected.invocation_s
            within_s = windows_s * min(1.0, done / max(1, planned)) + self._searched_s(lines, (invocation, host))
            done_s = self.expected.before_s(invocation, host) + within_s
            detail += f"; about {left_s(self.expected, self._now_s() - self._started_s, done_s):.0f} s left"
        self.progress("measure", invocation, self.expected.invocation_count + is_again, detail)

    def _searched_s(self, lines: Sequence[Mapping[str, Any]], key: tuple[int, int]) -> float:
        """Return how long an invocation has been searching; no longer than it should, as its end is not known."""
        if not any(line["kind"] == "searching" for line in lines):
            return 0.0
        since_s = self._searching_since_s.setdefault(key, self._now_s())
        return min(self.expected.search_s, self._now_s() - since_s)

    def finish(self, invocation: int) -> None:
        """Say that an invocation has ended."""
        if self.progress is not None:
            is_again = invocation >= self.expected.invocation_count
            self.progress("measure", invocation + 1, self.expected.invocation_count + is_again, "")
