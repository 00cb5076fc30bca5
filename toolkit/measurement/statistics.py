"""From windows to a figure: the median over invocations, its 95 % interval, a trend, and the ratio of two.

The unit of repetition is the invocation, a fresh process: windows within one agree far better with each other than
invocations do, so that an interval over windows would be several times too narrow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["MIN_BOOTSTRAP_INVOCATIONS", "drift", "median_interval", "ratio_interval"]

MIN_BOOTSTRAP_INVOCATIONS: Final = 6
"""From here on a bootstrap of the median can cover 95 %: the range of n values covers the median with 1 - 2 (1/2)^n."""

_RESAMPLES: Final = 2_000
_COVERAGE: Final = 0.95
_MIN_DRIFT_WINDOWS: Final = 6
_LEAST_DRIFT_SHARE: Final = 0.1


def median_interval(groups: Mapping[int, Sequence[float]], seed: int = 0) -> tuple[float, float, float]:
    """Return the median over invocations of each invocation's median, and the ends of its 95 % interval.

    Parameters
    ----------
    groups : mapping of int to sequence of float
        The values of each invocation's windows, all in one unit.
    seed : int
        Seed of the resampling.

    Notes
    -----
    From six invocations on: percentile bootstrap of the whole invocations, each with its windows resampled in turn. Below
    that no resampling can reach 95 %, and the interval is Student's t over the logarithms of the invocations' medians (over
    the medians themselves, where one of them is not positive, as a loss may be), which is wide and says so.
    For one invocation alone no interval is known; the range of its windows is given.

    Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8 (clustered data).

    Examples
    --------
    >>> median_interval({0: [10.0, 11.0], 1: [10.0, 10.0], 2: [12.0, 9.0]})[0]
    10.5
    """
    medians = np.array([float(np.median(values)) for values in groups.values() if len(values)])
    if not len(medians):
        return 0.0, 0.0, 0.0
    middle = float(np.median(medians))
    if len(medians) == 1:
        values = np.concatenate([np.asarray(group, dtype=float) for group in groups.values()])
        return middle, float(values.min()), float(values.max())
    if len(medians) < MIN_BOOTSTRAP_INVOCATIONS:
        return middle, *_student(medians, middle)
    resampled = _resampled_medians(list(groups.values()), np.random.default_rng(seed))
    low, high = np.quantile(resampled, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
    return middle, min(float(low), middle), max(float(high), middle)


def ratio_interval(
    above: Mapping[int, Sequence[float]], below: Mapping[int, Sequence[float]], seed: int = 0
) -> tuple[float, float, float]:
    """Return the ratio of two medians over invocations, and the ends of its 95 % interval.

    "A is faster than B" may be said when the interval excludes 1. Invocations that hold both are resampled together, as
    what disturbs one disturbs the other.
    """
    shared = sorted(set(above) & set(below))
    if len(shared) >= 2:
        pairs = {n: [float(np.median(above[n]) / np.median(below[n]))] for n in shared}
        _, low, high = median_interval(pairs, seed)
    else:
        low, high = 0.0, math.inf
    ratio = median_interval(above)[0] / median_interval(below)[0]
    return ratio, min(low, ratio), max(high, ratio)


def drift(values: Sequence[float]) -> float:
    """Return how much values change from first to last by their Theil-Sen slope, as a share of their median; 0 when unclear.

    A slope counts when its 95 % interval excludes 0 and the change is at least 10 %: burst credits that run out, a cache
    below the operating system that fills, a processor that heats up.

    Source: Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968).

    Examples
    --------
    >>> round(drift([10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0]), 2)
    -0.86
    >>> drift([10.0, 10.1, 9.9, 10.0, 10.1, 9.9])
    0.0
    """
    if len(values) < _MIN_DRIFT_WINDOWS or np.median(values) <= 0:
        return 0.0
    from scipy.stats import theilslopes

    slope, _, low, high = theilslopes(np.asarray(values, dtype=float), alpha=_COVERAGE)
    change_share = float(slope * (len(values) - 1) / np.median(values))
    return change_share if low * high > 0 and abs(change_share) >= _LEAST_DRIFT_SHARE else 0.0


def _student(medians: NDArray[np.float64], middle: float) -> tuple[float, float]:
    from scipy.stats import t

    is_positive = bool(np.all(medians > 0))
    values = np.log(medians) if is_positive else medians
    half = float(t.ppf((1 + _COVERAGE) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    ends = [float(values.mean()) - half, float(values.mean()) + half]
    low, high = map(math.exp, ends) if is_positive else ends
    return min(low, middle), max(high, middle)


def _resampled_medians(groups: Sequence[Sequence[float]], random: np.random.Generator) -> NDArray[Any]:
    """Return medians of resampled invocations of resampled windows."""
    per_group = np.stack([np.median(random.choice(np.asarray(g, dtype=float), (_RESAMPLES, len(g))), axis=1) for g in groups])
    chosen = random.integers(0, len(groups), (len(groups), _RESAMPLES))
    return np.asarray(np.median(np.take_along_axis(per_group, chosen, axis=0), axis=0))
