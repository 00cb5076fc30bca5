"""How long a run should take, by its own arithmetic: what the plans promise, and what is left of a run that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.measurement.contention import LEAST_S, SETTLE_S, WORKS
from toolkit.measurement.utilisation import LEAST_TRIAL_S, TRIAL_WINDOWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.measurement.plans import Plan
    from toolkit.measurement.stage import Stage

__all__ = ["Expected", "invocation_s", "left_s", "searches_s", "windows_s"]

_START_S: Final = 3.0
"""A fresh process, until its first window: imports, the sample in memory, an operation of each stage."""
_BETWEEN_S: Final = 0.05
"""Between two windows: connections, evictions, threads."""
_DEVICE_BYTES_PER_S: Final = 1e9
"""At which the working set comes back into the page cache when a warm window follows a cold one. A slower device takes longer."""
_COMPUTE_CASES: Final = 7
_TRIALS: Final = 8
"""Of a search for the number of accelerators that are kept busy; seldom more."""
_PACE_RANGE: Final = (0.5, 4.0)
"""A machine is not believed to be faster or slower than this against what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a run should take, in seconds."""

    invocation_s: float
    """Of one invocation: its windows."""
    search_s: float
    """Of one invocation: what it searches."""
    again_s: float
    """Of taking every ceiling again, which few runs need."""
    cluster_s: float
    """Of all hosts at once, all invocations of it."""
    invocation_count: int
    """Invocations of each host."""
    host_count: int
    """Hosts that are measured in turn."""

    @property
    def total_s(self) -> float:
        """All of it."""
        each = self.invocation_count * (self.invocation_s + self.search_s) + self.again_s
        return self.host_count * each + self.cluster_s

    def before_s(self, invocation: int, host: int) -> float:
        """Return what should have passed before an invocation of a host begins; from the count of invocations on, a retake."""
        if invocation >= self.invocation_count:
            whole = self.host_count * self.invocation_count * (self.invocation_s + self.search_s)
            return whole + host * self.again_s
        return (invocation * self.host_count + host) * (self.invocation_s + self.search_s)


def windows_s(plan: Plan, stages: Sequence[Stage]) -> float:
    """Return the timed seconds of the windows of an invocation."""
    return sum(count * (stage.window_s or plan.window_s) for stage, count in _counted(plan, stages))


def invocation_s(plan: Plan, stages: Sequence[Stage]) -> float:
    """Return the seconds of an invocation on the wall: its start, its windows, and what lies between them."""
    counted = _counted(plan, stages)
    warm = sum(n for stage, n in counted if stage.conditions.get("cache") == "warm" or stage.metric.startswith("transfer."))
    cold = sum(
        n for stage, n in counted if stage.conditions.get("cache") == "cold" and stage.conditions.get("access") != "direct"
    )
    again_count = warm * cold / (warm + cold) if warm else 0.0  # warm windows that come after a cold one, in a random order
    return (
        _START_S
        + windows_s(plan, stages)
        + sum(count for _, count in counted) * _BETWEEN_S
        + again_count * plan.working_set_bytes / _DEVICE_BYTES_PER_S
    )


def searches_s(plan: Plan, families: Sequence[str], presets: Sequence[Mapping[str, object]]) -> float:
    """Return the seconds that families which search take in an invocation."""
    trial_s = max(LEAST_TRIAL_S, TRIAL_WINDOWS * plan.window_s) + 1.0
    settings = sum((2 if preset.get("is_image", True) else 1) * (2 if plan.is_wide else 1) for preset in presets)
    pairs = sum(len(work.loads) for work in WORKS.values())
    expected = {
        "utilisation": settings * _TRIALS * trial_s,
        "contention": pairs * (3 * max(LEAST_S, 2 * plan.window_s) + SETTLE_S + 1.0),
        "compute": 2 * _COMPUTE_CASES * max(0.2, plan.window_s),
    }
    return sum(seconds for family, seconds in expected.items() if family in families)


def left_s(expected: Expected, elapsed_s: float, done_s: float) -> float:
    """Return the seconds that are left, at the pace of what is done.

    Examples
    --------
    >>> run = Expected(invocation_s=10, search_s=5, again_s=5, cluster_s=0, invocation_count=3, host_count=1)
    >>> left_s(run, elapsed_s=20.0, done_s=10.0)
    80.0
    """
    slowest, fastest = _PACE_RANGE[1], _PACE_RANGE[0]
    pace = min(slowest, max(fastest, elapsed_s / done_s)) if done_s > 0 else 1.0
    return max(0.0, expected.total_s - done_s) * pace


def _counted(plan: Plan, stages: Sequence[Stage]) -> list[tuple[Stage, int]]:
    return [(stage, stage.window_count or plan.window_count) for stage in stages if not stage.derived_from]
