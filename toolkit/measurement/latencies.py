"""The time of single operations in a closed loop: percentiles, and what Little's law needs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.facts import Latency

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["latency_of"]


def latency_of(times_s: Sequence[float], member_count: int) -> dict[str, Any] | None:
    """Return the fields of a ``Latency`` of operations timed one by one; None when there were none.

    Percentiles are values that were seen (the next higher one): nothing is interpolated between a hit and a miss.

    Examples
    --------
    >>> found = latency_of([0.001] * 99 + [0.5], 1)
    >>> found["p50_s"], found["p99_s"], found["max_s"]
    (0.001, 0.001, 0.5)
    >>> latency_of([], 1) is None
    True
    """
    if not times_s:
        return None
    values = np.asarray(times_s, dtype=float)
    p50, p95, p99 = (float(value) for value in np.quantile(values, [0.5, 0.95, 0.99], method="inverted_cdf"))
    found = Latency(
        count=len(values), member_count=member_count, mean_s=float(values.mean()), p50_s=p50, p95_s=p95, p99_s=p99,
        max_s=float(values.max()),
    )  # fmt: skip
    return dataclasses.asdict(found)
