"""The order of an epoch: which rows each rank reads, and in which order it gives them. Pure arithmetic over counts.

All ranks share one order of row groups and cut it into contiguous shares that differ by at most one image, so that each
rank reads its own row groups and, at each end of its share, a part of one more: bytes read do not grow with the ranks.
Within a share, the rows of a few row groups at a time are mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Order", "Piece", "Window", "epoch_windows", "share_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows of a row group."""

    group: int
    """Which row group, by its place in the dataset."""
    start: int
    """First row, counted over the group's rows that take part."""
    stop: int
    """The row after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows that are held and mixed together."""

    pieces: tuple[Piece, ...]
    """What is read, in this order."""
    order: NDArray[np.int64]
    """The order in which the rows of all pieces, one after the other, are given."""

    def __len__(self) -> int:
        return len(self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an order is a function of."""

    seed: int = 0
    """Seed of the shuffle."""
    epoch: int = 0
    """Each epoch has another order."""
    is_shuffled: bool = True
    """Whether to shuffle at all."""
    rank: int = 0
    """Whose share."""
    world_size: int = 1
    """How many share."""
    is_equal: bool = False
    """Whether every rank gets the same number of images, which leaves out up to ``world_size - 1``."""
    window_groups: int = 8
    """Row groups that are mixed together."""


def share_of(total_count: int, order: Order) -> tuple[int, int]:
    """Return the first image of a rank's share and the one after its last, counted over the one order.

    Examples
    --------
    >>> [share_of(10, Order(rank=rank, world_size=3)) for rank in range(3)]
    [(0, 3), (3, 6), (6, 10)]
    >>> [share_of(10, Order(rank=rank, world_size=3, is_equal=True)) for rank in range(3)]
    [(0, 3), (3, 6), (6, 9)]
    """
    start = total_count * order.rank // order.world_size
    stop = total_count * (order.rank + 1) // order.world_size
    return start, min(stop, start + total_count // order.world_size) if order.is_equal else stop


def epoch_windows(counts: Sequence[int] | NDArray[np.int64], order: Order, position: int = 0) -> list[Window]:
    """Return what a rank reads in an epoch, in the order in which it reads it.

    Parameters
    ----------
    counts : sequence of int
        Rows that take part of each row group of the dataset.
    order : Order
        What the order is a function of.
    position : int
        Images of the share that were given already, in an epoch that was stopped; windows that were given whole are left out.

    Examples
    --------
    >>> plain = Order(is_shuffled=False, rank=1, world_size=2)
    >>> [(piece.group, piece.start, piece.stop) for window in epoch_windows([3, 4, 5], plain) for piece in window.pieces]
    [(1, 3, 4), (2, 0, 5)]
    """
    sizes = np.asarray(counts, dtype=np.int64)
    groups = np.arange(len(sizes))
    if order.is_shuffled:
        groups = np.random.default_rng([order.seed, order.epoch]).permutation(groups)
    ends = np.cumsum(sizes[groups])
    start, stop = share_of(int(sizes.sum()), order)
    pieces = []
    for at in range(int(np.searchsorted(ends, start, side="right")), len(groups)):
        first = int(ends[at] - sizes[groups[at]])
        if first >= stop:
            break
        if low_high := _overlap(first, int(ends[at]), start, stop):
            pieces.append(Piece(group=int(groups[at]), start=low_high[0] - first, stop=low_high[1] - first))
    return _resumed(_windows(pieces, order), position)


def _overlap(first: int, last: int, start: int, stop: int) -> tuple[int, int] | None:
    low, high = max(first, start), min(last, stop)
    return (low, high) if low < high else None


def _windows(pieces: Sequence[Piece], order: Order) -> list[Window]:
    size = order.window_groups if order.is_shuffled else 1
    windows = []
    for number, at in enumerate(range(0, len(pieces), size)):
        held = tuple(pieces[at : at + size])
        count = sum(piece.stop - piece.start for piece in held)
        rows: NDArray[Any] = np.arange(count)
        if order.is_shuffled:
            rows = np.random.default_rng([order.seed, order.epoch, order.rank, order.world_size, number]).permutation(rows)
        windows.append(Window(pieces=held, order=rows))
    return windows


def _resumed(windows: list[Window], position: int) -> list[Window]:
    """Return the windows without the images that were given already."""
    left = position
    for at, window in enumerate(windows):
        if left < len(window):
            return [Window(pieces=window.pieces, order=window.order[left:]), *windows[at + 1 :]]
        left -= len(window)
    return []
