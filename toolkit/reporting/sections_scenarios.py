"""The section of scenarios side by side: what was asked otherwise, and what each resource becomes for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from toolkit.projection.contrasting import contrast
from toolkit.reporting.blocks import Block, Cell, Chart, Prose, Section, Table, text_rows
from toolkit.reporting.figures_scenarios import (
    HEADLINES,
    SideBySide,
    beside_each_other,
    beside_in_contrast,
    scenarios_side_by_side,
)
from toolkit.reporting.wording import DASH, begin, plural, quantity_words, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.projection.contrasting import Contrast
    from toolkit.projection.result import Projection

__all__ = ["contrast_sections", "scenario_section"]

_NAME_LETTERS: Final = 32
_CELL_LETTERS: Final = 160
_CHANGES_OPEN: Final = 6
_TITLE: Final = "Scenarios side by side"
_APART: Final = "*"


def scenario_section(projections: Sequence[Projection]) -> Section | None:
    """Return two or more projections side by side; None for fewer."""
    if len(projections) < 2:
        return None
    found = beside_each_other(projections)
    return _section(found, _asked([contrast(projections[0], other) for other in projections[1:]], found), "")


def contrast_sections(found: Contrast, prefix: str) -> dict[str, Section]:
    """Return the section of two projections that were held side by side already."""
    both = beside_in_contrast(found)
    return {"scenarios": _section(both, _asked([found], both), prefix)}


def _section(found: SideBySide, asked: Table, prefix: str) -> Section:
    figure = scenarios_side_by_side(found)
    headlines = [name for name in HEADLINES if name in found.values]
    others = sorted((name for name in found.values if name not in headlines), key=lambda name: -_distance(found, name))
    blocks: list[Block] = [] if figure is None else [Chart(id=f"{prefix}scenarios", figure=figure)]
    if figure is None:
        blocks.append(Prose(text="The scenarios have no quantity in common that could be compared.", calm=True))
    if headlines:
        blocks.append(_quantities(found, headlines, "The headlines of each scenario, medians", folded=False))
    if others:
        blocks.append(_quantities(found, others, "Every other quantity, the largest difference first", folded=True))
    blocks.append(asked if asked.rows else Prose(text="Nothing was asked otherwise: the scenarios are alike.", calm=True))
    lead = (
        f"{plural(len(found.names), 'scenario')} at month {found.month}, the last that all of them have; ratios are to the first."
    )
    return Section(id=f"{prefix}scenarios", title=_TITLE, short="Scenarios", lead=lead, blocks=tuple(blocks))


def _distance(found: SideBySide, quantity: str) -> float:
    """Return how far the scenarios are apart: the largest logarithm of a ratio; without bounds where one is 0."""
    ratios = [found.ratio(quantity, place) for place in range(1, len(found.names))]
    return max((abs(math.log(ratio)) if ratio > 0 else math.inf for ratio in ratios if ratio is not None), default=0.0)


def _quantities(found: SideBySide, quantities: Sequence[str], caption: str, *, folded: bool) -> Table:
    first, *others = (shorten(name, _NAME_LETTERS) for name in found.names)
    columns = ("quantity", first, *(part for name in others for part in (name, "times")))
    rows: list[list[object]] = []
    for quantity in quantities:
        cells: list[object] = [Cell(text=begin(quantity_words(quantity))), _value(found, quantity, 0)]
        for place in range(1, len(found.names)):
            cells += [_value(found, quantity, place), _ratio(found, quantity, place)]
        rows.append(cells)
    return Table(
        caption=caption, columns=columns, rows=text_rows(rows), numeric=frozenset(range(1, len(columns))), folded=folded,
        is_for_screens=folded, note=f"{_APART} marks ranges from p10 to p90 that lie apart.",
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
    rows = []
    for key, differing in keys.items():
        first = next(iter(differing.values()))[0]
        values = [first, *(differing[place][1] if place in differing else first for place in range(1, len(found.names)))]
        rows.append([Cell(text=key.replace("_", " ").replace(".", ": ")), *(_stated(value) for value in values)])
    return Table(
        caption="What was asked otherwise", columns=("key", *(shorten(name, _NAME_LETTERS) for name in found.names)),
        rows=text_rows(rows), shown_count=_CHANGES_OPEN, stacked=True, named=True,
        note="Numbers in base units: bytes, seconds, watts, US dollars.",
    )  # fmt: skip


def _stated(value: Any) -> str:
    """Return what a scenario says under a key as words."""
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shorten(_words(value), _CELL_LETTERS)


def _words(value: Any) -> str:
    """Return plain JSON types as words.

    Examples
    --------
    >>> _words([{"name": "clips", "sample_count": 2.5e6}]), _words([]), _words(0.9)
    ('name clips, sample count 2.5 M', 'none', '0.9')
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return show(value, "count" if float(value).is_integer() else "")
    if isinstance(value, list | tuple):
        return "; ".join(map(_words, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{str(name).replace('_', ' ')} {_words(part)}" for name, part in value.items()) or "none"
    return str(value)
