"""What others took of the machine while a timed test ran: where that is much, its failure says nothing, and is told as such.

A test that holds a rate or a time fails for what it measures, on a quiet machine, as any test does. It is run again first
(``pacing.TRIES``); only if the last of its tries fails too, on processors that others used meanwhile, is it skipped, with the share.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from pacing import TRIES

MOST_SHARE = 0.05
"""Share of the machine's processor time that others may take before a failure is put down to them."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_BEGUN: pytest.StashKey[Taken | None] = pytest.StashKey()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Processor time up to a moment."""

    others_s: float
    """What other systems (steal) and processes of others took."""
    machine_s: float
    """What there was of it."""


def taken(stat: Path = Path("/proc/stat")) -> Taken | None:
    """Return what was taken up to now; None where the system does not say. Source: proc(5), ``/proc/stat``."""
    try:
        fields = [int(field) / _TICKS_PER_S for field in stat.read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return None
    idle_s, steal_s = fields[3] + fields[4], fields[7]
    own = os.times()
    living = sum(sum(child.cpu_times()[:2]) for child in _children())
    own_s = own.user + own.system + own.children_user + own.children_system + living
    return Taken(others_s=steal_s + max(0.0, sum(fields) - idle_s - steal_s - own_s), machine_s=sum(fields))


def _children() -> list[psutil.Process]:
    """Return the living processes that this one began; how they end meanwhile does not matter to a twentieth."""
    return [child for child in psutil.Process().children(recursive=True) if child.is_running() and child.status() != "zombie"]


def disturbed_share(before: Taken | None, after: Taken | None) -> float:
    """Return the share of the machine that others took between two moments; 0 where that is unknown."""
    if before is None or after is None or after.machine_s <= before.machine_s:
        return 0.0
    return max(0.0, (after.others_s - before.others_s) / (after.machine_s - before.machine_s))


def note(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Keep what was taken when a test begins; tell the failure of its last try as a skip where others disturbed it."""
    if call.when == "setup":
        item.stash.setdefault(_BEGUN, taken())
        return
    is_last = getattr(item, "execution_count", 1) >= TRIES
    is_held = call.excinfo is not None and call.excinfo.errisinstance(AssertionError)  # anything else is no matter of rates
    if call.when != "call" or not report.failed or not is_last or not is_held:
        return
    share = disturbed_share(item.stash.get(_BEGUN, None), taken())
    if share > MOST_SHARE:
        path, line, _ = item.location
        report.outcome = "skipped"
        report.longrepr = (path, line or 0, f"others took {share:.0%} of the machine meanwhile; it failed with: {call.excinfo}")
