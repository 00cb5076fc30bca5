"""The section of scenarios side by side: what was asked otherwise, and what each resource becomes for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from toolkit.projection.contrasting import contrast
from toolkit.reporting.blocks import Block, Cell, Chart, Prose, Section, Table, text_rows
from toolkit.reporting.explanations import explained, why_of
from toolkit.reporting.figures_scenarios import (
    HEADLINES,
    SideBySide,
    beside_each_other,
    beside_in_contrast,
    scenarios_side_by_side,
)
from toolkit.reporting.scenario_words import does_apply, key_words, stated
from toolkit.reporting.wording import DASH, begin, plural, quantity_words, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.projection.contrasting import Contrast
    from toolkit.projection.result import Projection

__all__ = ["contrast_sections", "scenario_section"]

_NAME_LETTERS: Final = 60
_CHANGES_OPEN: Final = 6
_TITLE: Final = "Scenarios side by side"
_APART: Final = "*"


def scenario_section(projections: Sequence[Projection]) -> Section | None:
    """Return two or more projections side by side; None for fewer."""
    if len(projections) < 2:
        return None
    found = beside_each_other(projections)
    first, *others = projections
    asked = _asked([contrast(first, other) for other in others], found)
    known = explained(first)
    return _section(found, asked, "", lambda quantity: why_of(known, quantity))


def contrast_sections(found: Contrast, prefix: str) -> dict[str, Section]:
    """Return the section of two projections that were held side by side already."""
    both = beside_in_contrast(found)
    return {"scenarios": _section(both, _asked([found], both), prefix, lambda _: "")}


def _section(found: SideBySide, asked: Table, prefix: str, why: Callable[[str], str]) -> Section:
    figure = scenarios_side_by_side(found)
    headlines = [name for name in HEADLINES if name in found.values]
    others = sorted((name for name in found.values if name not in headlines), key=lambda name: -_distance(found, name))
    blocks: list[Block] = [] if figure is None else [Chart(id=f"{prefix}scenarios", figure=figure)]
    if figure is None:
        blocks.append(Prose(text="The scenarios have no quantity in common that could be compared.", calm=True))
    if headlines:
        blocks.append(_quantities(found, headlines, "The headlines of each scenario, medians", why, folded=False))
    if others:
        blocks.append(_quantities(found, others, "Every other quantity, the largest difference first", why, folded=True))
    blocks.append(asked if asked.rows else Prose(text="Nothing was asked otherwise: the scenarios are alike.", calm=True))
    lead = (
        f"{plural(len(found.names), 'scenario')} at month {found.month}, the last that all of them have; ratios are to the first."
    )
    return Section(id=f"{prefix}scenarios", title=_TITLE, short="Scenarios", lead=lead, blocks=tuple(blocks))


def _distance(found: SideBySide, quantity: str) -> float:
    """Return how far the scenarios are apart: the largest logarithm of a ratio; without bounds where one is 0."""
    ratios = [found.ratio(quantity, place) for place in range(1, len(found.names))]
    return max((abs(math.log(ratio)) if ratio > 0 else math.inf for ratio in ratios if ratio is not None), default=0.0)


def _quantities(found: SideBySide, quantities: Sequence[str], caption: str, why: Callable[[str], str], *, folded: bool) -> Table:
    first, *others = (shorten(name, _NAME_LETTERS) for name in found.names)
    columns = ("quantity", first, *(part for name in others for part in (name, "times")))
    rows: list[list[object]] = []
    for quantity in quantities:
        cells: list[object] = [Cell(text=begin(quantity_words(quantity)), why=why(quantity)), _value(found, quantity, 0)]
        for place in range(1, len(found.names)):
            cells += [_value(found, quantity, place), _ratio(found, quantity, place)]
        rows.append(cells)
    return Table(
        caption=caption, columns=columns, rows=text_rows(rows), numeric=frozenset(range(1, len(columns))), folded=folded,
        is_for_screens=folded, stacked=True, note=f"{_APART} marks ranges from p10 to p90 that lie apart.",
    )  # fmt: skip


def _value(found: SideBySide, quantity: str, place: int) -> str:
    value = found.values[quantity][place]
    return DASH if value is None else show(value[1], found.units[quantity])


def _ratio(found: SideBySide, quantity: str, place: int) -> str:
    ratio, first, other = found.ratio(quantity, place), found.values[quantity][0], found.values[quantity][place]
    if ratio is None or first is None or other is None:
        return DASH
    is_apart = other[0] > first[2] or other[2] < first[0]
    return f"{ratio:.3g}{_APART if is_apart else ''}"


def _asked(contrasts: Sequence[Contrast], found: SideBySide) -> Table:
    """Return each key of the scenarios in which one differs from the first, with what all of them say."""
    keys: dict[str, dict[int, tuple[Any, Any]]] = {}
    for place, each in enumerate(contrasts, start=1):
        for key, first, other in each.changes:
            if key != "name":
                keys.setdefault(key, {})[place] = (first, other)
    kinds = _values(keys.get("growth.kind", {}), found)
    rows = []
    for key, differing in keys.items():
        cells = [
            stated(key, value) if does_apply(key, kind) else DASH
            for value, kind in zip(_values(differing, found), kinds, strict=True)
        ]
        if set(cells) != {DASH}:
            rows.append([Cell(text=key_words(key)), *cells])
    return Table(
        caption="What was asked otherwise", columns=("key", *(shorten(name, _NAME_LETTERS) for name in found.names)),
        rows=text_rows(rows), shown_count=_CHANGES_OPEN, stacked=True, named=True,
        note=f"'{DASH}': what says nothing for that kind of growth.",
    )  # fmt: skip


def _values(differing: dict[int, tuple[Any, Any]], found: SideBySide) -> list[Any]:
    """Return what each scenario says under a key: None where nothing differs, or nothing is stated."""
    first = next(iter(differing.values()), (None, None))[0]
    return [first, *(differing[place][1] if place in differing else first for place in range(1, len(found.names)))]
