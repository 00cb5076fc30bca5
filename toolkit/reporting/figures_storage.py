"""The figure of storage over the months: what takes it, stacked by kind, against what is there and what the plan buys."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import axis_ticks
from toolkit.reporting.design import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    OLIVE,
    ORANGE,
    PINK,
    SKY,
    VERMILLION,
    new_figure,
    stack_line,
)  # fmt: skip
from toolkit.reporting.timelines import Series, months_axis, series
from toolkit.reporting.wording import quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["STORAGE_KINDS", "storage"]

STORAGE_KINDS: Final = {
    "storage.raw_bytes": BLUE,
    "storage.curated_bytes": SKY,
    "storage.versions_bytes": OLIVE,
    "storage.checkpoint_bytes": ORANGE,
    "dataset.component_bytes": VERMILLION,
    "storage.protection_bytes": PINK,
    "storage.small_parts_bytes": GREEN,
    "storage.headroom_bytes": GRAY,
}
"""The parts of the storage capacity, in the order in which they are stacked."""

_QUANTILES: Final = ("p10", "p50", "p90")

_SMALL_PARTS: Final = (
    "storage.quarantine_bytes",
    "storage.derived_bytes",
    "storage.small_file_bytes",
    "storage.filesystem_bytes",
)
"""Parts that are a few percent each, shown as one."""


def storage(projection: Projection) -> go.Figure | None:
    """Return the storage capacity stacked by kind (medians) with its p90, what is there already, and what the plan buys."""
    frame = projection.frame
    parts = {name: series(frame, name) for name in STORAGE_KINDS} | {"storage.small_parts_bytes": _small_parts(frame)}
    kinds = {name: line for name, line in parts.items() if line is not None and max(line.p50) > 0}
    if not kinds:
        return None
    months = next(iter(kinds.values())).months
    total = series(frame, "storage.capacity_bytes")
    owned, bought = _owned(projection), _bought(projection, months)
    finding = _finding(kinds, total, months[-1]) + _runs_out(frame, owned, months)
    about = "Areas are medians by kind; the broken line is the p90 of the capacity as a whole."
    if bought:
        about += " The steps are the drives that the plan buys, which may be more than bytes ask for: reads count too."
    figure = new_figure(finding, height=430, about=about)
    for name, line in kinds.items():
        color, words = STORAGE_KINDS[name], quantity_words(name)
        figure.add_scatter(
            x=line.months, y=line.p50, stackgroup="kinds", name=words, mode="lines", line=stack_line(), fillcolor=color,
            customdata=[show(v, "bytes") for v in line.p50],
            hovertemplate=f"{words}, month %{{x}}: %{{customdata}}<extra></extra>",
        )  # fmt: skip
    top = max(sum(values) for values in zip(*(line.p50 for line in kinds.values()), strict=False))
    lines = [("capacity, p90", total.p90, "dash", "linear")] if total else []
    lines += [("bought by the plan", bought, "solid", "hv")] if bought else []
    lines += [("there already", [owned] * len(months), "dot", "linear")] if owned else []
    for name, values, dash, shape in lines:
        _add_line(figure, months, values, name, dash, shape)
        top = max(top, *values)
    months_axis(figure, months)
    figure.update_yaxes(title_text="storage capacity", **axis_ticks(top, "bytes"))
    figure.update_layout(legend={"traceorder": "normal"})
    return figure


def _add_line(figure: go.Figure, months: list[int], values: list[float], name: str, dash: str, shape: str) -> None:
    figure.add_scatter(
        x=months, y=values, mode="lines", name=name, line={"color": INK, "width": 2, "dash": dash, "shape": shape},
        customdata=[show(v, "bytes") for v in values], hovertemplate=f"{name}, month %{{x}}: %{{customdata}}<extra></extra>",
    )  # fmt: skip


def _small_parts(frame: pl.DataFrame) -> Series | None:
    """Return the sum of the small parts' medians as one line."""
    lines = [line for name in _SMALL_PARTS if (line := series(frame, name)) is not None]
    if not lines:
        return None
    p10, p50, p90 = ([sum(values) for values in zip(*(getattr(line, q) for line in lines), strict=True)] for q in _QUANTILES)
    return dataclasses.replace(lines[0], p10=p10, p50=p50, p90=p90)


def _input(projection: Projection, name: str) -> float:
    """Return an input of the projection; 0 where it has none."""
    rows = projection.assumptions.filter((pl.col("name") == name) & pl.col("value").is_finite())
    return 0.0 if rows.is_empty() else float(rows["value"][0])


def _owned(projection: Projection) -> float:
    return _input(projection, "storage.owned_bytes")


def _bought(projection: Projection, months: list[int]) -> list[float]:
    """Return the bytes of the drives that the plan has bought by each month; nothing where it buys none, or of unknown size."""
    drive_bytes = _input(projection, "drive.capacity_bytes")
    drives = projection.plan.frame.filter((pl.col("phase") == "storage") & pl.col("needed_by_month").is_not_null())
    if drives.is_empty() or not drive_bytes:
        return []
    steps = list(drives.select("needed_by_month", "count").iter_rows())
    return [drive_bytes * sum(count for month, count in steps if month <= now) for now in months]


def _finding(kinds: dict[str, Series], total: Series | None, month: int) -> str:
    end = total.p50[-1] if total else sum(line.p50[-1] for line in kinds.values())
    largest = max(kinds, key=lambda name: kinds[name].p50[-1])
    if not end:
        return f"In month {month} nothing is stored"
    share = show(min(kinds[largest].p50[-1] / end, 1.0), "share", 2)
    return f"In month {month} storage takes {show(end, 'bytes')}; the largest part, {share}: {quantity_words(largest)}"


def _runs_out(frame: pl.DataFrame, owned: float, months: list[int]) -> str:
    """Return when what is there already is full, from the time that the projection computed."""
    if not owned:
        return ""
    rows = frame.filter((pl.col("quantity") == "storage.time_to_fill_s") & (pl.col("month") == months[0]))
    left_s = None if rows.is_empty() else rows["p50"][0]
    there = show(owned, "bytes")
    if left_s is None or not math.isfinite(left_s):
        return f"; the {there} there already do until then"
    return (
        f"; the {there} there already are too little now"
        if left_s <= 0
        else f"; the {there} there already are full in {show(left_s, 's')}"
    )
