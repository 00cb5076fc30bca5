"""Arrays of draws x months: formulas over them a few months at a time, their percentiles, and room that is used again.

A projection holds a hundred such arrays of ten megabytes. What costs time is not arithmetic but fetching memory: fresh pages,
and passes over what no longer is in the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["Room", "are_whole", "by_blocks", "first_if_equal", "percentiles", "quantile"]

_SHARES: Final = (0.1, 0.5, 0.9)
_BLOCK_COUNT: Final = 80_000
"""Values worked on at once: few enough for all that is made of them on the way to stay in the processor's cache."""


class Room:
    """Arrays that are needed no longer, given out again for new results of the same shape: their pages are there already."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, int], list[Draws]] = {}
        self._own: dict[int, Draws] = {}  # held, so that no other array can come to have the same identity

    def take(self, shape: tuple[int, int]) -> Draws:
        """Return an array whose contents are arbitrary; the draws of a month lie side by side, so that percentiles are quick."""
        waiting = self._free.get(shape)
        if waiting:
            return waiting.pop()
        found = np.empty(shape, order="F")
        self._own[id(found)] = found
        return found

    def give_back(self, values: Draws) -> None:
        """Take an array back; one that was not given out here is left alone, since others may look at it."""
        if self._own.get(id(values)) is values:
            self._free.setdefault((values.shape[0], values.shape[1]), []).append(values)


def by_blocks(function: Callable[..., Any], inputs: Mapping[str, Draws], room: Room, *, across_months: bool = False) -> Draws:
    """Return what a formula makes of its inputs, a few months at a time; all at once where a month depends on others.

    Parameters
    ----------
    function : callable
        A formula over arrays of shape (draws, months), either of which may be 1.
    inputs : mapping of str to numpy.ndarray
        Its arguments.
    room : Room
        Where the result is laid down.
    across_months : bool
        Whether a month's result depends on those of other months.
    """
    shapes = [values.shape for values in inputs.values() if values.ndim == 2]
    draws, months = max((shape[0] for shape in shapes), default=1), max((shape[1] for shape in shapes), default=1)
    step = max(1, _BLOCK_COUNT // draws)
    if across_months or months <= step:
        result = np.asarray(function(**inputs), dtype=np.float64, order="F")
        return result.copy(order="F") if any(np.may_share_memory(result, values) for values in inputs.values()) else result
    found: Draws | None = None
    for start in range(0, months, step):
        part = slice(start, start + step)
        block = np.asarray(
            function(**{name: values[:, part] if values.shape[1] > 1 else values for name, values in inputs.items()})
        )
        if found is None:
            found = room.take((block.shape[0], months))
        found[:, part] = block
    return found if found is not None else np.empty((1, 0))


def quantile(values: Draws, share: float, *, is_whole: bool) -> Draws:
    """Return the quantile of each month that a share of the draws stays within, whole where there are no parts."""
    count, months = values.shape
    place = share * (count - 1)
    rank, step = int(place), max(1, _BLOCK_COUNT // count)
    found, held = np.empty(months), np.empty((min(step, months), count))
    for start in range(0, months, step):
        part = held[: min(step, months - start)]
        part[...] = values[:, start : start + step].T
        part.partition(rank, axis=1)
        above = part[:, rank + 1 :].min(axis=1) if rank + 1 < count else part[:, rank]
        found[start : start + step] = _between(part[:, rank], above, place - rank)
    return np.asarray(np.ceil(found - 1e-9)) if is_whole else found


def first_if_equal(values: Draws) -> Draws | None:
    """Return one draw where all are the same, so that it stands for all and takes no room; None where they differ."""
    if values.ndim != 2 or values.shape[0] < 2 or not _are_same(values[[0, 1, -1]]):
        return None
    step = max(1, _BLOCK_COUNT // values.shape[0])
    if all(_are_same(values[:, start : start + step]) for start in range(0, values.shape[1], step)):
        return values[:1].copy()
    return None


def _are_same(values: Draws) -> bool:
    is_same = values == values[:1]
    return bool(is_same.all()) or bool((is_same | (np.isnan(values) & np.isnan(values[:1]))).all())


def are_whole(values: Draws) -> bool:
    """Return whether all values are finite whole numbers."""
    step = max(1, _BLOCK_COUNT // values.shape[0])
    parts = (values[:, start : start + step] for start in range(0, values.shape[1], step))
    with np.errstate(invalid="ignore"):
        return all(bool(((part == np.floor(part)) & np.isfinite(part)).all()) for part in parts)


def percentiles(values: Draws) -> tuple[Draws, Draws, Draws]:
    """Return the 10th, 50th and 90th percentile of each month of draws, shape (draws, months).

    The ranks are interpolated linearly, as ``numpy.quantile`` does, which takes half as long again.

    Source: Hyndman and Fan 1996, definition 7.

    Examples
    --------
    >>> [float(p[0]) for p in percentiles(np.arange(11.0)[:, None])]
    [1.0, 5.0, 9.0]
    """
    count, months = values.shape
    if count == 1:
        return values[0], values[0], values[0]
    step = max(1, _BLOCK_COUNT // count)
    below, above = np.empty((3, months)), np.empty((3, months))
    held = np.empty((min(step, months), count))
    for start in range(0, months, step):
        part = held[: min(step, months - start)]
        part[...] = values[:, start : start + step].T
        _neighbours(part, below[:, start : start + step], above[:, start : start + step])
    shares = np.array([share * (count - 1) - int(share * (count - 1)) for share in _SHARES])[:, None]
    found = _between(below, above, shares)
    return found[0], found[1], found[2]


def _neighbours(by_month: Draws, below: Draws, above: Draws) -> None:
    """Fill in the draws below and above three percentiles of each row; their order is lost.

    The middle first; each end is then looked for in its half alone.
    """
    count = by_month.shape[1]
    middle = int(0.5 * (count - 1))
    for place, first, last in ((1, 0, count), (0, 0, middle + 1), (2, middle, count)):
        rank = int(_SHARES[place] * (count - 1))
        part = by_month[:, first:last]
        part.partition(rank - first, axis=1)
        below[place] = part[:, rank - first]
        rest = part[:, rank - first + 1 :]
        if place == 0 and rank == middle and count > middle + 1:
            rest = by_month[:, middle + 1 :]
        above[place] = rest.min(axis=1) if rest.shape[1] else below[place]


def _between(below: Draws, above: Draws, share: float | Draws) -> Draws:
    """Return the value a share of the way between two; of two infinite ones it is infinite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(below == above, below, below + (above - below) * share))
