"""Failures, checkpoints and what they leave of a run: Young, Daly, effective training time, spares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "checkpoint_overhead_share",
    "daly_interval",
    "failure_interval",
    "failures",
    "goodput",
    "spare_count",
    "spare_nodes",
    "young_interval",
]


@formula(
    "s",
    "a node's mean time between failures / nodes",
    valid={"node_count": (1, 2048, "two clusters of more than 24,000 devices in all (Kokolis et al. 2024)")},
)
def failure_interval(node_interval_s: Draws, node_count: Draws) -> Any:
    """Mean time between failures of a run.

    Source: failures of independent nodes add up (Trivedi 2001); Kokolis et al. 2024 (arXiv 2410.21680) finds it to hold.

    Examples
    --------
    >>> float(failure_interval(np.array(1e7), np.array(100.0)))
    100000.0
    """
    return node_interval_s / node_count


@formula(
    "s",
    "sqrt(2 x write time x time between failures)",
    valid={"write_s": (0, "failure_s", "to first order: writing takes far less than the time between failures")},
)
def young_interval(write_s: Draws, failure_s: Draws) -> Any:
    """Seconds between checkpoints that lose the least, to first order.

    Source: Young 1974, "A first order approximation to the optimum checkpoint interval", doi 10.1145/361147.361115.

    Examples
    --------
    >>> float(young_interval(np.array(50.0), np.array(10_000.0)))
    1000.0
    """
    return np.sqrt(2 * write_s * failure_s)


@formula(
    "s",
    "sqrt(2 d M) (1 + sqrt(d / 2M) / 3 + d / 18M) - d for write time d and time between failures M",
    valid={"write_s": (0, "failure_s", "beyond, a checkpoint hardly ends before the next failure")},
)
def daly_interval(write_s: Draws, failure_s: Draws) -> Any:
    """Seconds between checkpoints that lose the least.

    Source: Daly 2006, "A higher order estimate of the optimum checkpoint interval", doi 10.1016/j.future.2004.11.016;
    Young 1974 is its first term.

    Examples
    --------
    >>> round(float(daly_interval(np.array(60.0), np.array(86400.0))))
    3180
    """
    ratio = write_s / (2 * failure_s)
    optimum = np.sqrt(2 * write_s * failure_s) * (1 + np.sqrt(ratio) / 3 + ratio / 9) - write_s
    return np.where(write_s < 2 * failure_s, optimum, failure_s)


@formula("share", "write time / interval")
def checkpoint_overhead_share(write_s: Draws, interval_s: Draws) -> Any:
    """Share of the time that writing checkpoints takes, where training waits for it.

    Source: definition.

    Examples
    --------
    >>> round(float(checkpoint_overhead_share(np.array(40.0), np.array(3 * 3600.0))), 4)
    0.0037
    """
    return write_s / interval_s


@formula(
    "share",
    "(1 - (restart + interval / 2) / time between failures) / (1 + write time / interval)",
    valid={"interval_s": (0, "failure_s", "at most one failure between two checkpoints"), "restart_s": (0, "failure_s")},
)
def goodput(interval_s: Draws, write_s: Draws, failure_s: Draws, restart_s: Draws) -> Any:
    """Share of the time in which a run goes forward; at least 1 %.

    Source: Kokolis et al. 2024 (arXiv 2410.21680), expected effective training time ratio.

    Examples
    --------
    >>> round(float(goodput(np.array(3600.0), np.array(60.0), np.array(86_400.0), np.array(600.0))), 3)
    0.956
    """
    return np.clip((1 - (restart_s + interval_s / 2) / failure_s) / (1 + write_s / interval_s), 0.01, 1.0)


def spare_count(node_count: int, node_interval_s: float, repair_s: float, shortage_share: float = 0.01) -> int:
    """Return the spare nodes that cover the failures during a repair in all but a share of the cases.

    Source: failures within a repair time are Poisson with mean nodes x repair time / time between failures.

    Examples
    --------
    >>> spare_count(128, 1000 / 6.5 * 86_400, 86_400)
    4
    """
    from scipy.special import pdtr, pdtrik  # scipy.stats would take a second to import

    mean, share = node_count * repair_s / node_interval_s, 1 - shortage_share
    count = max(0, math.ceil(pdtrik(share, mean))) if mean > 0 else 0
    return count - 1 if count and pdtr(count - 1, mean) >= share else count


@formula("count", "99th percentile of the failures within a repair: Poisson, at the median of each month")
def spare_nodes(node_count: Draws, node_interval_s: Draws, repair_s: Draws) -> Any:
    """Nodes to keep in reserve so that a run goes on while failed ones are repaired.

    Source: failures of independent nodes within a repair time are Poisson (Trivedi 2001).
    """
    interval, repair = float(np.median(node_interval_s)), float(np.median(repair_s))
    counts = np.median(node_count, axis=0)
    return np.array([[float(spare_count(int(count), interval, repair)) for count in counts]])


@formula("count", "time of a run / time between failures")
def failures(elapsed_s: Draws, failure_s: Draws) -> Any:
    """Failures that a run meets, on average.  Source: definition."""
    return elapsed_s / failure_s
