"""Scenarios side by side: what each asks for of every resource, as a multiple of the first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import finish_rows, guide_lines, log_ticks, row_label, row_marks
from toolkit.reporting.design import INK, SEQUENCE, new_figure
from toolkit.reporting.wording import begin, interval, plain, plural, quantity_words, shorten
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from toolkit.projection.contrasting import Contrast
    from toolkit.projection.result import Projection

__all__ = ["HEADLINES", "SCENARIOS_DRAWN", "SideBySide", "beside_each_other", "beside_in_contrast", "scenarios_side_by_side"]

SCENARIOS_DRAWN: Final = len(SEQUENCE)
"""More scenarios than colours are not drawn; the table holds all of them."""

HEADLINES: Final = (
    "dataset.images",
    "storage.capacity_bytes",
    "storage.drive_count",
    "bandwidth.storage_demand_bytes_per_s",
    "bandwidth.ingest_bytes_per_s",
    "network.node_bytes_per_s",
    "training.gpu_count",
    "training.elapsed_s",
    "training.cost_usd",
    "training.energy_j",
    "cost.owned_usd",
    "inference.instance_count",
    "inference.latency_p99_s",
    "site.power_w",
)
"""What is drawn, in the order in which it is read."""

_SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "x", "cross", "star", "pentagon")
_NAME_LETTERS: Final = 60
_WHISKER: Final = {"thickness": 1.3, "width": 4, "color": INK}


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """Quantities of several scenarios at one month."""

    names: tuple[str, ...]
    """The scenarios, each name once."""
    month: int
    """The last month that all of them have."""
    units: dict[str, str]
    """Unit by quantity, in the order in which quantities are read."""
    values: dict[str, tuple[tuple[float, float, float] | None, ...]]
    """10th percentile, median and 90th of each scenario by quantity; None where a scenario has no such figure."""

    def ratio(self, quantity: str, place: int) -> float | None:
        """Return the median of a scenario over that of the first; None where either is unknown or the first is 0."""
        first, other = self.values[quantity][0], self.values[quantity][place]
        return other[1] / first[1] if first is not None and other is not None and first[1] else None


def beside_each_other(projections: Sequence[Projection]) -> SideBySide:
    """Return the quantities of projections at the last month that all of them have."""
    month = min(max(projection.months, default=0) for projection in projections)
    units: dict[str, str] = {}
    columns: list[dict[str, tuple[float, float, float]]] = []
    for projection in projections:
        rows = projection.frame.filter((pl.col("month") == month) & pl.col("p50").is_finite())
        ends = rows.with_columns(pl.when(pl.col(p).is_finite()).then(pl.col(p)).otherwise("p50").alias(p) for p in ("p10", "p90"))
        columns.append({row["quantity"]: (row["p10"], row["p50"], row["p90"]) for row in ends.iter_rows(named=True)})
        units |= dict(rows.select("quantity", "unit").iter_rows())
    names = _once([projection.name for projection in projections])
    return SideBySide(
        names=names, month=month, units=units, values={name: tuple(column.get(name) for column in columns) for name in units}
    )


def beside_in_contrast(found: Contrast) -> SideBySide:
    """Return the quantities of two projections that were held side by side already."""
    units, values = {}, {}
    for row in found.frame.iter_rows(named=True):
        pair = tuple(
            None if row[side] is None else (row[f"{side}_low"], row[side], row[f"{side}_high"]) for side in ("before", "after")
        )
        units[row["quantity"]], values[row["quantity"]] = row["unit"], pair
    return SideBySide(names=_once([found.before, found.after]), month=found.month, units=units, values=values)


def _once(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of which none stands twice.

    Examples
    --------
    >>> _once(["lab", "team", "lab"])
    ('lab', 'team', 'lab (2)')
    """
    found: list[str] = []
    for name in names:
        same = sum(other == name for other in names[: len(found)])
        found.append(f"{name} ({same + 1})" if same else name)
    return tuple(found)


def scenarios_side_by_side(found: SideBySide) -> go.Figure | None:
    """Return each headline of each scenario as a multiple of the first scenario's, with its range; None for fewer than two."""
    drawn = range(min(len(found.names), SCENARIOS_DRAWN))
    rows = [name for name in HEADLINES if name in found.values and _is_comparable(found, name, drawn)]
    if len(drawn) < 2 or not rows:
        return None
    about = f"At month {found.month}, as multiples of '{shorten(found.names[0], _NAME_LETTERS)}'; whiskers from p10 to p90."
    if len(found.names) > len(drawn):
        about += f" {plural(len(found.names) - len(drawn), 'scenario')} more in the table."
    figure = new_figure(_finding(found, rows, drawn), about=about)
    for place in drawn:
        _add_scenario(figure, found, rows, place)
    for row, quantity in enumerate(rows):
        row_label(figure, row, plain(begin(quantity_words(quantity))), _note(found, quantity, drawn), above_px=16)
    ends = [end for quantity in rows for place in drawn for end in _ends(found, quantity, place)]
    row_marks(figure, 1, len(rows), INK)
    figure.update_xaxes(title_text="times the first (logarithmic)", **log_ticks([*ends, 0.5, 2.0], "ratio"))
    guide_lines(figure, len(rows))
    finish_rows(figure, len(rows), pitch_px=40)
    figure.update_layout(showlegend=True, height=figure.layout.height + 24)
    return figure


def _is_comparable(found: SideBySide, quantity: str, drawn: range) -> bool:
    return sum((found.ratio(quantity, place) or 0) > 0 for place in drawn) > 1


def _add_scenario(figure: go.Figure, found: SideBySide, rows: Sequence[str], place: int) -> None:
    points = [(row, quantity, ratio) for row, quantity in enumerate(rows) if (ratio := found.ratio(quantity, place))]
    values, firsts = ([found.values[quantity][side] for _, quantity, _ in points] for side in (place, 0))
    ends = [(v[0] / f[1], v[2] / f[1]) for v, f in zip(values, firsts, strict=True) if v is not None and f is not None]
    name = plain(found.names[place], _NAME_LETTERS)
    figure.add_scatter(
        x=[ratio for *_, ratio in points], y=[row for row, *_ in points], mode="markers", name=name,
        marker={"color": SEQUENCE[place], "symbol": _SYMBOLS[place], "size": 11}, hoverinfo="text",
        hovertext=[f"{name}: {_shown(found, quantity, place)}, {ratio:.3g} times" for _, quantity, ratio in points],
        error_x={
            "type": "data", "symmetric": False, **_WHISKER,
            "array": [max(high - ratio, 0.0) for (_, high), (*_, ratio) in zip(ends, points, strict=True)],
            "arrayminus": [max(ratio - max(low, ratio * 0.01), 0.0) for (low, _), (*_, ratio) in zip(ends, points, strict=True)],
        },
    )  # fmt: skip


def _ends(found: SideBySide, quantity: str, place: int) -> list[float]:
    """Return the ends of a whisker and its middle as multiples of the first scenario; nothing where there is no ratio."""
    ratio, first, other = found.ratio(quantity, place), found.values[quantity][0], found.values[quantity][place]
    if not ratio or first is None or other is None:
        return []
    return [max(other[0] / first[1], ratio * 0.01), ratio, max(other[2] / first[1], ratio)]


def _shown(found: SideBySide, quantity: str, place: int) -> str:
    value = found.values[quantity][place]
    return "unknown" if value is None else show(value[1], found.units[quantity])


def _note(found: SideBySide, quantity: str, drawn: range) -> str:
    if len(drawn) == 2:
        return f"{_shown(found, quantity, 0)} · {_shown(found, quantity, 1)}"
    known = [value[1] for place in drawn if (value := found.values[quantity][place]) is not None]
    return interval(min(known), max(known), found.units[quantity])


def _finding(found: SideBySide, rows: Sequence[str], drawn: range) -> str:
    pairs = [(quantity, place, ratio) for quantity in rows for place in drawn[1:] if (ratio := found.ratio(quantity, place))]
    quantity, place, ratio = max(pairs, key=lambda pair: abs(math.log(pair[2])))
    first, other = (shorten(found.names[index], _NAME_LETTERS) for index in (0, place))
    ends = f"{_shown(found, quantity, 0)} in '{first}', {_shown(found, quantity, place)} in '{other}'"
    if abs(math.log(ratio)) < 0.005:
        return f"The scenarios ask for the same: {quantity_words(quantity)} {_shown(found, quantity, 0)}"
    return f"The largest difference: {quantity_words(quantity)}, {ends}"
