"""Which groups of earlier images lie near new ones: the same sorted tables as among new ones, in bounded memory.

A crowd of new hashes meets a crowd of earlier ones in as many pairs as the product of both. No pair is kept: of what is found,
only which group lies near which component, and how near, is held.

Source: Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, section 3.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.curation.neighbours import moved, parts, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Labelled", "near_labels"]

_BITS: Final = 64
_HASH_BYTES: Final = 8
_ARRAYS: Final = 5
"""Arrays of the size of a part that are held at once while it is searched."""

_PAIR_BYTES: Final = 80
"""Memory of a pair while it is compared: places, hashes, distance, labels."""

_MOST_PAIRS, _LEAST_PAIRS = 1 << 20, 1 << 12
"""Pairs compared at once; more are no faster."""

_DISTANCES: Final = 16
"""One more than any distance that is searched, rounded up: label and distance share an integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Hashes with a number each, that many may share."""

    hashes: NDArray[np.uint64]
    """Distinct, in ascending order."""
    labels: NDArray[np.int64]
    """0 or more."""


def near_labels(
    new: Labelled, old: Labelled, distance: int, *, memory_bytes: int = 2**30, threads: int = 2
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Return which labels of both sides have hashes within a distance, and the least distance of each such pair of labels.

    Parameters
    ----------
    new, old : Labelled
        Both sides.
    distance : int
        Largest number of differing bits, at most 15.
    memory_bytes : int
        Memory of the search, beside its input and result.
    threads : int
        Tables searched at the same time.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray, numpy.ndarray)
        New label, old label, distance; by new label, then old label, each pair of labels once.

    Examples
    --------
    >>> new = Labelled(hashes=np.array([0b0, 0b11], dtype=np.uint64), labels=np.array([7, 7]))
    >>> near_labels(new, Labelled(hashes=np.array([0b111], dtype=np.uint64), labels=np.array([2])), 4)
    (array([7]), array([2]), array([1], dtype=uint8))
    """
    found = np.empty(0, dtype=np.int64)
    if not len(new.hashes) or not len(old.hashes):
        return found, found, found.astype(np.uint8)
    count = _block_count(distance, len(new.hashes), len(old.hashes))
    part_count = max(1, math.ceil((len(new.hashes) + len(old.hashes)) * _HASH_BYTES * _ARRAYS * threads / memory_bytes))
    pair_count = min(_MOST_PAIRS, max(_LEAST_PAIRS, memory_bytes // threads // _PAIR_BYTES))
    old_count = int(old.labels.max()) + 1

    def searched(moves: tuple[list[tuple[int, int]], int]) -> NDArray[np.int64]:
        best = np.empty(0, dtype=np.int64)
        for left, right in _near(new.hashes, old.hashes, moves, part_count, pair_count, distance):
            bits = np.bitwise_count(left ^ right).astype(np.int64)
            own, other = np.searchsorted(new.hashes, left), np.searchsorted(old.hashes, right)
            best = _least(best, (new.labels[own] * old_count + old.labels[other]) * _DISTANCES + bits)
        return best

    with ThreadPoolExecutor(threads) as pool:
        for best in pool.map(searched, tables(count, distance)):
            found = _least(found, best)
    pairs, distances = found // _DISTANCES, (found % _DISTANCES).astype(np.uint8)
    return pairs // old_count, pairs % old_count, distances


def _least(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each pair of labels once, with its least distance."""
    ordered = np.unique(np.concatenate([one, other]))
    pairs = ordered // _DISTANCES
    is_first = np.ones(len(pairs), dtype=bool)
    is_first[1:] = pairs[1:] != pairs[:-1]
    return ordered[is_first]


def _near(
    new: NDArray[np.uint64],
    old: NDArray[np.uint64],
    moves: tuple[list[tuple[int, int]], int],
    part_count: int,
    pair_count: int,
    distance: int,
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
    """Yield pairs within the distance that agree in the chosen blocks, so many compared at once."""
    steps, rest_bits = moves
    rest = np.uint64((1 << rest_bits) - 1)
    for left, right in zip(parts(new, moves, part_count), parts(old, moves, part_count), strict=True):
        right.sort()
        left.sort()
        low = np.searchsorted(right, left & ~rest, side="left")
        met = np.searchsorted(right, left | rest, side="right") - low
        for own, other in _meetings(low, met, pair_count):
            a, b = left[own], right[other]
            is_near = np.bitwise_count(a ^ b) <= distance
            if is_near.any():
                yield moved(a[is_near], steps, is_back=True), moved(b[is_near], steps, is_back=True)


def _meetings(low: NDArray[Any], met: NDArray[Any], pair_count: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the places of all that meet: each of one side with ``met`` of the other from ``low`` on, so many pairs at once.

    Examples
    --------
    >>> list(_meetings(np.array([5, 0]), np.array([2, 1]), 2))
    [(array([0, 0]), array([5, 6])), (array([1]), array([0]))]
    """
    ends = np.cumsum(met)
    for start in range(0, int(ends[-1]) if len(ends) else 0, pair_count):
        pairs = np.arange(start, min(start + pair_count, int(ends[-1])))
        own = np.searchsorted(ends, pairs, side="right")
        yield own, low[own] + pairs - (ends[own] - met[own])


def _block_count(distance: int, new_count: int, old_count: int) -> int:
    """Return how many blocks make the search cheapest; moving and sorting a hash costs about as much as two comparisons.

    Examples
    --------
    >>> _block_count(4, 1_000, 1_000), _block_count(4, 10**6, 10**6), _block_count(4, 10**7, 10**7)
    (5, 6, 6)
    """

    def cost(blocks: int) -> float:
        meetings = new_count * old_count / 2 ** (_BITS * (blocks - distance) / blocks)
        return math.comb(blocks, distance) * (2 * (new_count + old_count) + meetings)

    return min(range(distance + 1, distance + 6), key=cost)
