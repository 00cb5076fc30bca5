"""How one size is timed: what a pass finds in caches that nobody can empty must not pass for the size."""

from __future__ import annotations

import time

import pytest

from toolkit.backtesting import measuring
from toolkit.measurement.windows import Probe, Tally


class Drive(Probe):
    """A drive whose own memory serves all but the first pass, and which says how many bytes it was read."""

    def __init__(self, first_s: float, later_s: float, served_share: float = 1.0) -> None:
        self.first_s = first_s
        self.later_s = later_s
        self.served_share = served_share
        self.read_bytes = self.passes = 0

    def run(self, deadline_s: float) -> Tally:
        time.sleep(self.later_s if self.passes else self.first_s)
        self.passes += 1
        self.read_bytes += int(1_000 * self.served_share)
        return Tally(operations=1, payload_bytes=1_000)


def passed(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> float | None:
    monkeypatch.setattr(measuring, "device_read_bytes", lambda: drive.read_bytes)
    return measuring._cold_pass_s(drive)


def test_the_first_pass_fills_what_lies_below_and_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = passed(Drive(first_s=0.6, later_s=0.03), monkeypatch)
    assert found is not None
    assert 0.03 <= found < 0.25


def test_short_passes_are_repeated_and_a_long_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = Drive(0.02, 0.02), Drive(0.2, 0.2)
    assert passed(short, monkeypatch) is not None
    assert passed(long, monkeypatch) is not None
    assert (short.passes > 4, long.passes) == (True, 2)


def test_what_the_page_cache_served_is_no_cold_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert passed(Drive(0.01, 0.01, served_share=0.5), monkeypatch) is None
