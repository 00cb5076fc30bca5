"""The last units of a listing cut smaller: else one core would work through a large one while the others wait for it."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Final

from toolkit.curation.sources.units import UNIT_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolkit.curation.sources.units import SourceUnit

__all__ = ["with_short_tail"]

_CUT: Final = frozenset({"files", "zip", "tar"})
"""Kinds of units whose items are read one by one, and are listed so fast that a few units can wait."""


def with_short_tail(units: Iterable[SourceUnit], thread_count: int) -> Iterator[SourceUnit]:
    """Yield units in their order, the last one for each thread in parts of about ``UNIT_ITEMS``.

    Parameters
    ----------
    units : iterable of SourceUnit
        What to read; of files and archives, as many units as there are threads are looked at ahead.
    thread_count : int
        Threads that read them.
    """
    waiting: deque[SourceUnit] = deque()
    for unit in units:
        waiting.append(unit)
        while waiting and (len(waiting) > thread_count or unit.kind not in _CUT):
            yield waiting.popleft()
    for unit in waiting:
        yield from _parts(unit)


def _parts(unit: SourceUnit) -> Iterator[SourceUnit]:
    count = max(1, round(len(unit.items) / UNIT_ITEMS))
    for part in range(count):
        start, end = (at * len(unit.items) // count for at in (part, part + 1))
        yield dataclasses.replace(unit, items=unit.items[start:end])
