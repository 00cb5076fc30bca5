"""How much each uncertain input has to do with a result, over all draws at once: rank correlations and first-order shares.

The tornado moves one input at a time from the middle; this lets all of them vary, as the draws do, and needs no further
evaluation of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]
    Order = NDArray[np.intp]

__all__ = ["first_order_share", "influences", "rank_correlation"]

_LEAST_DRAWS: Final = 100
_BINS: Final = 20
_ROWS: Final = 10
_LEAST_SHARE: Final = 0.02
_MOST_DRAWS: Final = 4_000
"""Enough for shares to the nearest per cent; more would cost time alone."""


def rank_correlation(inputs: Draws, results: Draws) -> float:
    """Return Spearman's correlation of ranks: 1 and -1 where a result follows an input without exception; ties share ranks.

    Source: Spearman 1904.

    Examples
    --------
    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0]))
    1.0
    """
    return _correlation(_ranks(inputs, _order(inputs)), _ranks(results, _order(results)))


def _order(values: Draws) -> Order:
    return np.argsort(values, kind="stable")


def _correlation(x: Draws, y: Draws) -> float:
    """Return the correlation of two series."""
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return round(float(x @ y) / scale, 12) if scale else 0.0


def _ranks(values: Draws, order: Order) -> Draws:
    """Return the ranks of values, those that are equal sharing the mean of theirs; SciPy's statistics take a second to import."""
    ordered = values[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.append(np.flatnonzero(is_first), len(values))
    place = is_first.cumsum()
    ranks = np.empty(len(values))
    ranks[order] = 0.5 * (starts[place - 1] + starts[place] + 1)
    return ranks


def first_order_share(inputs: Draws, results: Draws, bin_count: int = _BINS) -> float:
    """Return the share of a result's variance that goes away once an input is known: Sobol's first-order index, from given draws.

    The input's draws are cut into bins of equal count; the variance of the bins' means is what the input accounts for, less
    what bins of that count show by chance.

    Source: Sobol 1993 for the index; Plischke, Borgonovo and Smith 2013, "Global sensitivity measures from given data".

    Examples
    --------
    >>> x, y = np.random.default_rng(0).standard_normal((2, 20_000))
    >>> round(first_order_share(x, 2 * x + y), 1)
    0.8
    """
    return _share_by_order(_order(inputs), results, bin_count)


def _share_by_order(order: Order, results: Draws, bin_count: int = _BINS) -> float:
    """Return the first-order share of the input whose draws have this order."""
    count = len(results)
    total = float(np.var(results))
    if total <= 0:
        return 0.0
    ends = np.linspace(0, count, bin_count + 1).astype(int)
    sizes = np.diff(ends)
    means = np.add.reduceat(results[order], ends[:-1]) / sizes
    between = float((sizes * (means - results.mean()) ** 2).sum() / count / total)
    chance = (bin_count - 1) / (count - 1)
    return min(1.0, max(0.0, (between - chance) / (1 - chance)))


def influences(values: Mapping[str, Draws], inputs: Sequence[str], quantities: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of quantity, input, rank_correlation and first_order_share at the last month, the largest share first.

    Parameters
    ----------
    values : mapping of str to numpy.ndarray
        Draws by name, shape (draws, 1) for inputs and (draws, months) for quantities.
    inputs : sequence of str
        The uncertain inputs.
    quantities : sequence of str
        Results to explain; those that do not vary, or are without bounds in some draws, are left out.
    """
    rows: list[dict[str, Any]] = []
    ordered: dict[str, tuple[Order, Draws]] = {}
    for name in inputs:  # once for all quantities
        drawn = values[name][:_MOST_DRAWS, 0]
        if np.ptp(drawn) > 0:
            order = _order(drawn)
            ordered[name] = order, _ranks(drawn, order)
    for quantity in quantities:
        results = values[quantity][:_MOST_DRAWS, -1]
        if len(results) < _LEAST_DRAWS or not np.isfinite(results).all() or np.ptp(results) <= 0:
            continue
        ranks = _ranks(results, _order(results))
        mine: list[dict[str, Any]] = [
            {
                "quantity": quantity,
                "input": name,
                "rank_correlation": _correlation(input_ranks, ranks),
                "first_order_share": _share_by_order(order, results),
            }
            for name, (order, input_ranks) in ordered.items()
        ]
        mine.sort(key=lambda row: (-row["first_order_share"], -abs(row["rank_correlation"])))
        rows += [row for row in mine[:_ROWS] if row["first_order_share"] >= _LEAST_SHARE]
    return rows
