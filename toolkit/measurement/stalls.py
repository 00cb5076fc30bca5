"""What was taken from a window: processor time by the hypervisor, and time that tasks waited for a device or a processor.

Source: Linux ``Documentation/accounting/psi.rst`` (pressure stall information), ``proc_stat(5)`` (steal).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Stalls", "stall_shares", "stalls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """The system's counts so far; None where it does not say."""

    now_s: float
    """When, on a clock that only goes forward."""
    steal_s: float | None
    """Processor time that the hypervisor took, as a share of all processor time when two are compared."""
    total_s: float | None
    """All processor time, over all cores."""
    io_stall_s: float | None
    """Time in which some task waited for a device."""
    cpu_stall_s: float | None
    """Time in which some task that could have run waited for a processor."""


def stalls(proc: Path = Path("/proc")) -> Stalls:
    """Return the counts now."""
    cpu = re.match(r"cpu +(.*)", _text(proc / "stat"))
    ticks = [int(value) for value in cpu[1].split()[:8]] if cpu else []
    return Stalls(
        now_s=time.perf_counter(),
        steal_s=float(ticks[7]) if len(ticks) == 8 else None,
        total_s=float(sum(ticks)) if len(ticks) == 8 else None,
        io_stall_s=_stalled_s(proc / "pressure" / "io"),
        cpu_stall_s=_stalled_s(proc / "pressure" / "cpu"),
    )


def stall_shares(before: Stalls, after: Stalls) -> dict[str, float | None]:
    """Return ``steal_share``, ``io_stall_share`` and ``cpu_stall_share`` between two counts.

    Examples
    --------
    >>> start = Stalls(now_s=0.0, steal_s=0.0, total_s=0.0, io_stall_s=1.0, cpu_stall_s=3.0)
    >>> stall_shares(start, Stalls(now_s=2.0, steal_s=1.0, total_s=4.0, io_stall_s=1.5, cpu_stall_s=4.0))
    {'steal_share': 0.25, 'io_stall_share': 0.25, 'cpu_stall_share': 0.5}
    >>> stall_shares(start, Stalls(now_s=2.0, steal_s=None, total_s=None, io_stall_s=None, cpu_stall_s=None))
    {'steal_share': None, 'io_stall_share': None, 'cpu_stall_share': None}
    """
    return {
        "steal_share": _share(before.steal_s, after.steal_s, before.total_s, after.total_s),
        "io_stall_share": _share(before.io_stall_s, after.io_stall_s, before.now_s, after.now_s),
        "cpu_stall_share": _share(before.cpu_stall_s, after.cpu_stall_s, before.now_s, after.now_s),
    }


def _stalled_s(place: Path) -> float | None:
    found = re.search(r"^some .*total=(\d+)", _text(place), re.MULTILINE)
    return int(found[1]) / 1e6 if found else None


def _share(part: float | None, part_after: float | None, whole: float | None, whole_after: float | None) -> float | None:
    if part is None or part_after is None or whole is None or whole_after is None or whole_after <= whole:
        return None
    return min(1.0, max(0.0, (part_after - part) / (whole_after - whole)))


def _text(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
