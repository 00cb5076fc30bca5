"""How much faster a training loop could be were its loader free: the same loop, fed from batches held in memory.

Source: SPDL, ``examples/benchmark_utils.py`` (its cached loader): the bound of whatever work on a loader can gain.
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING, Final

from toolkit.measurement.shares import by_invocation
from toolkit.measurement.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.facts import Measurement

__all__ = ["CACHED_LOOP", "FED_LOOP", "headspace_of"]

FED_LOOP: Final = "loader.fed"
"""A loop that copies each batch of the loader, as the way to an accelerator begins."""

CACHED_LOOP: Final = "ceiling.cached_batches"
"""The same loop over batches that are held in memory."""

_LIMITS: Final = (
    "Of a loop that only copies each batch within host memory. A loop that computes waits less: its own headspace is one over "
    "the share of time in which it does not wait (loader.stall_share, or utilisation with your step's time)."
)


def headspace_of(fed: Measurement, ceilings: Sequence[Measurement]) -> Measurement | None:
    """Return how many times as fast the loop is from memory; None for anything but that loop, or where it was not taken."""
    if fed.metric != FED_LOOP:
        return None
    cached = next((by_invocation(m) for m in ceilings if m.metric == CACHED_LOOP), {})
    samples = tuple(
        dataclasses.replace(sample, value=statistics.median(cached[sample.invocation]) / sample.value)
        for sample in fed.samples
        if sample.invocation in cached and sample.value > 0
    )
    if not samples:
        return None
    groups: dict[int, list[float]] = {}
    for sample in samples:
        groups.setdefault(sample.invocation, []).append(sample.value)
    median, low, high = median_interval(groups)
    return dataclasses.replace(
        fed, metric="loader.headspace", title="Headspace: the loop from batches in memory, over the loop from the loader",
        unit="ratio", samples=samples, median=median, interval_low=low, interval_high=high, ceiling=None,
        ceiling_share_interval=None, limits=_LIMITS,
    )  # fmt: skip
