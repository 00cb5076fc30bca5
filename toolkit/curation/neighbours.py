"""Which of many hashes are connected by small differences: sorted tables of permuted hashes, in bounded memory.

A hash is cut into blocks; two hashes that differ in at most ``d`` bits agree entirely in all but ``d`` of ``k`` blocks. For
each choice of ``k - d`` blocks, the bits of these blocks are moved to the top and the hashes sorted: those that agree lie side
by side, and only they are compared. Edges are enough to connect what all pairs would connect, not all pairs: a crowd of
thousands of nearly equal hashes costs one edge a member.

Source: Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, section 3.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Moves = tuple[list[tuple[int, int]], int]

__all__ = ["moved", "near_edges", "parts", "tables"]

_BITS: Final = 64
_HASH_BYTES: Final = 8
_ARRAYS: Final = 5
"""Arrays of the size of a part that are held at once while it is searched."""

_RANGE_BITS: Final = 16
"""Most bits by which a table is cut into parts."""

_LONG_RUN: Final = 64
"""Runs of agreeing hashes longer than this are connected through a few of their members, not pair by pair."""

_COMPARED: Final = 1 << 22
"""Pairs of a long run that are compared at once: 32 MiB."""


def near_edges(hashes: Hashes, distance: int, *, memory_bytes: int = 2**30, threads: int = 2) -> tuple[Hashes, Hashes]:
    """Return pairs of hashes within a distance that connect all that the pairs within that distance connect.

    Parameters
    ----------
    hashes : numpy.ndarray
        Distinct hashes, uint64.
    distance : int
        Largest number of differing bits.
    memory_bytes : int
        Memory of the search, beside its input and result; more hashes than fit are searched in parts of a table.
    threads : int
        Tables searched at the same time.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        The two ends of each edge, the smaller first, in ascending order, each edge once.

    Examples
    --------
    >>> near_edges(np.array([0b0, 0b11, 0b1111111], dtype=np.uint64), 4)
    (array([0], dtype=uint64), array([3], dtype=uint64))
    """
    count = _block_count(distance, len(hashes))
    part_count = max(1, math.ceil(len(hashes) * _HASH_BYTES * _ARRAYS * threads / memory_bytes))
    known = _ends(hashes[:0], hashes[:0])
    waiting: list[NDArray[np.uint64]] = []
    with ThreadPoolExecutor(threads) as pool:
        for left, right in pool.map(lambda moves: _table(hashes, moves, distance, part_count), tables(count, distance)):
            waiting.append(_ends(left, right))
            if sum(ends.shape[1] for ends in waiting) > known.shape[1] + _COMPARED:
                known, waiting = _distinct([known, *waiting]), []  # the same edge turns up in many tables
    low, high = _distinct([known, *waiting])
    return low, high


def _ends(left: Hashes, right: Hashes) -> NDArray[np.uint64]:
    return np.stack([np.minimum(left, right), np.maximum(left, right)])


def _distinct(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return edges once, in ascending order."""
    ends = np.concatenate(parts, axis=1)
    ends = ends[:, np.lexsort((ends[1], ends[0]))]
    is_new = np.ones(ends.shape[1], dtype=bool)
    is_new[1:] = (ends[:, 1:] != ends[:, :-1]).any(axis=0)
    return ends[:, is_new]


def _block_count(distance: int, count: int) -> int:
    """Return how many blocks make the search cheapest: more blocks mean more tables with fewer chance meetings in each.

    Moving and sorting a hash costs about as much as two comparisons (measured).

    Examples
    --------
    >>> _block_count(4, 10**5), _block_count(4, 10**6), _block_count(4, 10**7), _block_count(0, 10)
    (6, 6, 6, 1)
    """

    def cost(blocks: int) -> float:
        meetings = count**2 / 2 / 2 ** (_BITS * (blocks - distance) / blocks)
        return math.comb(blocks, distance) * (2 * count + meetings)

    return min(range(distance + 1, distance + 6), key=cost)


def tables(count: int, distance: int) -> list[Moves]:
    """Return how hashes are moved for each table: for each choice of all but ``distance`` of ``count`` blocks.

    Examples
    --------
    >>> len(tables(6, 4)), len(tables(1, 0))
    (15, 1)
    """
    left_out = itertools.combinations(range(count), distance)
    return [_moves(count, tuple(c for c in range(count) if c not in left)) for left in left_out]


def _moves(count: int, chosen: Sequence[int]) -> Moves:
    """Return which bits go where, as (mask, shift to the left), and how many bits are not of the chosen blocks.

    Examples
    --------
    >>> moves, rest = _moves(2, (0,))
    >>> [(hex(mask), shift) for mask, shift in moves], rest
    ([('0xffffffff', 32), ('0xffffffff00000000', -32)], 32)
    """
    edges = [_BITS * i // count for i in range(count + 1)]
    order = [*sorted(chosen, reverse=True), *sorted(set(range(count)) - set(chosen), reverse=True)]
    moves: dict[int, int] = {}
    top = _BITS
    for block in order:
        low, high = edges[block], edges[block + 1]
        top -= high - low
        moves[top - low] = moves.get(top - low, 0) | ((1 << high) - (1 << low))
    return [(mask, shift) for shift, mask in moves.items()], _BITS - sum(edges[b + 1] - edges[b] for b in chosen)


def moved(hashes: Hashes, moves: Sequence[tuple[int, int]], *, is_back: bool = False) -> Hashes:
    """Return hashes with their bits moved as a table has them, or back again."""
    out = np.zeros_like(hashes)
    for mask, shift in moves:
        kept = np.uint64(mask)
        out |= _shifted(hashes, -shift) & kept if is_back else _shifted(hashes & kept, shift)
    return out


def _shifted(values: Hashes, shift: int) -> Hashes:
    return values << np.uint64(shift) if shift >= 0 else values >> np.uint64(-shift)


def _table(hashes: Hashes, moves: Moves, distance: int, part_count: int) -> tuple[Hashes, Hashes]:
    """Return the edges between hashes that agree in the chosen blocks."""
    steps, rest_bits = moves
    limit = np.uint64(1 << rest_bits)
    ends: list[tuple[Hashes, Hashes]] = [(hashes[:0], hashes[:0])]
    for part in parts(hashes, moves, part_count):
        part.sort()
        ends += _edges(part, limit, distance)
    left, right = (np.concatenate(side) for side in zip(*ends, strict=True))
    return moved(left, steps, is_back=True), moved(right, steps, is_back=True)


def parts(hashes: Hashes, moves: Moves, part_count: int) -> Iterator[Hashes]:
    """Yield the moved hashes, by ranges of their highest bits if they are more than fit; hashes that agree stay together."""
    steps, rest_bits = moves
    top_bits = min(_RANGE_BITS, _BITS - rest_bits)
    part_count = min(part_count, 1 << top_bits)
    if part_count == 1:
        yield moved(hashes, steps)
        return
    size = max(1, len(hashes) // part_count)
    edges = np.linspace(0, 1 << top_bits, part_count + 1).astype(np.uint64)
    for low, high in itertools.pairwise(edges):
        held = [hashes[:0]]
        for start in range(0, len(hashes), size):
            here = moved(hashes[start : start + size], steps)
            top = here >> np.uint64(_BITS - top_bits)
            held.append(here[(top >= low) & (top < high)])
        yield np.concatenate(held)


def _edges(ordered: Hashes, limit: np.uint64, distance: int) -> Iterator[tuple[Hashes, Hashes]]:
    """Yield edges between neighbours of a sorted table that agree above ``limit``."""
    differences = ordered[1:] ^ ordered[:-1]
    starts = np.flatnonzero(differences < limit)
    near = starts[np.bitwise_count(differences[starts]) <= distance]
    del differences
    yield ordered[near], ordered[near + 1]
    for step in range(2, _LONG_RUN):
        starts = starts[starts + step < len(ordered)]
        differences = ordered[starts] ^ ordered[starts + step]
        is_same = differences < limit
        starts, differences = starts[is_same], differences[is_same]
        if not len(starts):
            return
        near = starts[np.bitwise_count(differences) <= distance]
        yield ordered[near], ordered[near + step]
    for run in _long_runs(ordered, starts, limit):
        yield from _connected(run, distance)


def _long_runs(ordered: Hashes, starts: NDArray[Any], limit: np.uint64) -> Iterator[Hashes]:
    """Yield the runs that are longer than what was compared neighbour by neighbour."""
    done = -1
    for start in starts.tolist():
        if start <= done:
            continue
        first = int(np.searchsorted(ordered, ordered[start] & ~(limit - np.uint64(1)), side="left"))
        last = int(np.searchsorted(ordered, ordered[start] | (limit - np.uint64(1)), side="right"))
        done = last - 1
        yield ordered[first:last]


def _connected(run: Hashes, distance: int) -> Iterator[tuple[Hashes, Hashes]]:
    """Yield edges that connect a run as all its pairs would: a star at a time, and one edge from it to each hash it reaches."""
    rest = run
    while len(rest) > 1:
        is_near = np.bitwise_count(rest ^ rest[0]) <= distance
        star, rest = rest[is_near], rest[~is_near]
        yield np.broadcast_to(star[0], len(star) - 1), star[1:]
        for at in range(0, len(rest), max(1, _COMPARED // len(star))):
            others = rest[at : at + max(1, _COMPARED // len(star))]
            near = np.bitwise_count(others[:, None] ^ star[None, :]) <= distance
            reached = near.any(axis=1)
            yield star[near[reached].argmax(axis=1)], others[reached]
