"""Laws of a device from a few measured points, each with what it misses when points are left out. Pure arithmetic.

Points that belong together (all of a model, all of a batch size) are left out together: what is asked of a law is a point it
has never seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Fit = Callable[[Values, Values], Values]
    At = Callable[[Values, Values], Values]

__all__ = ["batch_times", "fit_batch", "fit_nonnegative", "left_out_error", "linear_at"]

_TINY: Final = np.finfo(float).tiny


def fit_nonnegative(drivers: Values, values: Values) -> Values:
    """Return one term for each driver, none below 0, so that their sum meets the values with the least relative error.

    With FLOPs and bytes as drivers it is a roofline in its sum form, t = FLOP / rate + bytes / bandwidth: arithmetic alone
    misses vision models by a factor of two, as their layers move more bytes for each operation.

    Source: Lawson and Hanson 1974, non-negative least squares, weighted by 1 / value; Williams, Waterman and Patterson 2009
    for the roofline.

    Examples
    --------
    >>> drivers = np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 4.0]])
    >>> fit_nonnegative(drivers, drivers @ np.array([3.0, 0.5])).round(9).tolist()
    [3.0, 0.5]
    """
    from scipy.optimize import nnls

    scale = np.maximum(np.abs(drivers).max(axis=0), _TINY)  # FLOPs and bytes differ by many orders
    found, _ = nnls(drivers / scale / values[:, None], np.ones(len(values)))
    return np.asarray(found / scale)


def linear_at(terms: Values, drivers: Values) -> Values:
    """Return the sum of terms times drivers.  Source: definition."""
    return np.asarray(drivers @ terms)


def batch_times(terms: Values, batches: Values) -> Values:
    """Return the time of a batch: max(floor, fixed + slope x batch).

    Source: a device that is not filled takes as long for a few as for one; then time grows with the batch.
    """
    floor, fixed, slope = terms
    return np.asarray(np.maximum(floor, fixed + slope * batches.reshape(len(batches))))


def fit_batch(batches: Values, times: Values) -> Values:
    """Return floor, fixed and slope of ``batch_times``: the cut into floor and slope that fits best.

    Source: least squares of the logarithms, over the cuts between the distinct batch sizes.

    Examples
    --------
    >>> sizes = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    >>> fit_batch(sizes, np.maximum(2.0, 0.4 + 0.3 * sizes)).round(6).tolist()
    [2.0, 0.4, 0.3]
    """
    sizes = batches.reshape(len(batches))
    best, least = np.array([0.0, 0.0, 0.0]), np.inf
    for cut in [0.0, *np.unique(sizes)]:
        above = sizes > cut
        if not above.any():
            continue
        floor = float(np.exp(np.log(times[~above]).mean())) if (~above).any() else 0.0
        design = np.stack([np.ones(above.sum()), sizes[above]], axis=1)
        if len(np.unique(sizes[above])) < 2 and floor:  # one size cannot tell fixed from slope
            design[:, 0] = 0.0
        terms = np.array([floor, *fit_nonnegative(design, times[above])])
        missed = float((np.log(times / np.maximum(batch_times(terms, sizes), _TINY)) ** 2).sum())
        if missed < least - 1e-12:
            best, least = terms, missed
    return best


def left_out_error(fit: Fit, at: At, drivers: Values, values: Values, groups: Values) -> float | None:
    """Return the root mean square of the logarithm by which a law misses points of groups that were left out of its fit.

    Source: leave-one-out cross-validation (Stone 1974), by group. None where there are too few groups to leave one out.

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [4.0]])
    >>> left_out_error(fit_nonnegative, linear_at, x, 3 * x[:, 0], np.arange(3.0))
    0.0
    """
    distinct = np.unique(groups)
    if len(distinct) < 2 or len(distinct) <= drivers.shape[1]:
        return None
    misses = []
    for group in distinct:
        kept = groups != group
        expected = at(fit(drivers[kept], values[kept]), drivers[~kept])
        misses.append(np.log(np.maximum(expected, _TINY) / values[~kept]))
    return round(float(np.sqrt((np.concatenate(misses) ** 2).mean())), 12)
