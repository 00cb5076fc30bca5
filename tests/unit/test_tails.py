"""The last units of a listing: cut smaller, in order, nothing lost; the others as they are, and none listed ahead of need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolkit.curation.sources.tails import with_short_tail
from toolkit.curation.sources.units import Item, SourceUnit

if TYPE_CHECKING:
    from collections.abc import Iterator


def unit(number: int, count: int, kind: str = "files") -> SourceUnit:
    items = tuple(Item(source=f"{number}/{at}", place=f"{number}/{at}") for at in range(count))
    return SourceUnit(kind=kind, path="", source="", items=items)


def sizes(units: list[SourceUnit], thread_count: int) -> list[int]:
    found = list(with_short_tail(units, thread_count))
    assert [item for each in found for item in each.items] == [item for each in units for item in each.items]
    return [len(each.items) for each in found]


def test_the_last_unit_of_each_thread_is_cut_into_equal_parts() -> None:
    units = [unit(0, 64), unit(1, 256), unit(2, 256), unit(3, 124)]
    assert sizes(units, 2) == [64, 256, 64, 64, 64, 64, 62, 62]
    assert sizes(units, 1) == [64, 256, 256, 62, 62]
    assert sizes(units[:2], 8) == [64, 64, 64, 64, 64]


@pytest.mark.parametrize("units", [[], [unit(0, 33)], [unit(0, 95)], [unit(0, 256, "remote")], [unit(0, 0, "parquet")]])
def test_what_is_small_or_not_read_item_by_item_stays_whole(units: list[SourceUnit]) -> None:
    assert list(with_short_tail(units, 2)) == units


def test_units_are_drawn_one_by_one() -> None:
    drawn = []

    def listing() -> Iterator[SourceUnit]:
        for number in range(100):
            drawn.append(number)
            yield unit(number, 256)

    assert next(with_short_tail(listing(), 3)) == unit(0, 256)
    assert drawn == [0, 1, 2, 3]


def test_nothing_waits_for_what_comes_from_afar() -> None:
    units = iter([unit(0, 256), unit(1, 256), unit(2, 256, "remote"), unit(3, 256)])
    found = with_short_tail(units, 8)
    assert [len(next(found).items) for _ in range(3)] == [256, 256, 256]
    assert next(units) == unit(3, 256)
