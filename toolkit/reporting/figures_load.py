"""Figures of load over the months: storage bandwidth against what is there, and every resource as a share of what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.charts import add_fan, axis_ticks, log_ticks
from toolkit.reporting.design import BLUE, GREEN, INK, OLIVE, ORANGE, PINK, SKY, VERMILLION, new_figure
from toolkit.reporting.timelines import Series, months_axis, series
from toolkit.reporting.wording import begin, plain
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["bottlenecks", "demand_and_supply"]

_RESOURCE_LINES: Final = (
    (BLUE, "solid"), (VERMILLION, "dash"), (GREEN, "dot"), (ORANGE, "dashdot"), (PINK, "longdash"), (SKY, "longdashdot"),
    (OLIVE, "5px,2px"),
)  # fmt: skip
_FAR_APART: Final = 15
"""Times by which supply and demand may differ before one of them lies flat on a linear axis."""


def demand_and_supply(frame: pl.DataFrame) -> go.Figure | None:
    """Return the storage bandwidth that is needed against what is there, and the month in which it runs out."""
    demand = series(frame, "bandwidth.storage_demand_bytes_per_s")
    supply = series(frame, "bandwidth.storage_supply_bytes_per_s")
    if demand is None:
        return None
    out = None if supply is None else _first_month(demand, supply)
    lines = [("demand", demand, VERMILLION, "solid")] + ([("supply", supply, BLUE, "dash")] if supply else [])
    axis, is_log = _bandwidth_axis([line for _, line, *_ in lines])
    about = "Lines are medians, bands p10 to p90." + (" The axis is logarithmic: they lie far apart." if is_log else "")
    figure = new_figure(_supply_finding(demand, supply, out), height=370, about=about)
    for name, line, color, dash in lines:
        add_fan(
            figure, line.months, line.p10, line.p50, line.p90, name=name, unit=line.unit, color=color, dash=dash,
            is_stepped=line is supply,
        )  # fmt: skip
    if out is not None and out > demand.months[0]:
        figure.add_vline(x=out, line={"color": INK, "width": 1.2, "dash": "dot"})
        side = "right" if out > demand.months[-1] * 0.45 else "left"
        figure.add_annotation(
            x=out, y=1, yref="paper", text=f" runs out in month {out} ", showarrow=False, xanchor=side, yanchor="top"
        )
    months_axis(figure, demand.months)
    title = "storage bandwidth (logarithmic)" if is_log else "storage bandwidth"
    figure.update_yaxes(title_text=title, **axis)
    return figure


def _bandwidth_axis(lines: list[Series]) -> tuple[dict[str, Any], bool]:
    """Return the axis of bandwidths, and whether it is logarithmic: where a linear one would press a line onto zero."""
    tops, every = [max(line.p50) for line in lines], [v for line in lines for v in (*line.p10, *line.p50, *line.p90)]
    if min(every) > 0 and max(tops) > _FAR_APART * min(tops):
        return log_ticks(every, "bytes_per_s"), True
    return axis_ticks(max(max(line.p90) for line in lines), "bytes_per_s"), False


def _first_month(demand: Series, supply: Series) -> int | None:
    have = dict(zip(supply.months, supply.p50, strict=True))
    return next((m for m, need in zip(demand.months, demand.p50, strict=True) if m in have and need > have[m]), None)


def _supply_finding(demand: Series, supply: Series | None, out: int | None) -> str:
    end = f"{show(demand.p50[-1], 'bytes_per_s')} needed in month {demand.months[-1]}"
    if supply is None:
        return f"Storage bandwidth: {end}; what there is, nobody said"
    there = f"of the {show(supply.p50[-1], 'bytes_per_s')} that storage gives"
    if out is None:
        return f"Storage keeps up: {end}, {there}"
    when = "from the start" if out == demand.months[0] else f"from month {out}"
    return f"Storage bandwidth falls short {when}: {end}, {there}"


def bottlenecks(frame: pl.DataFrame) -> go.Figure | None:
    """Return the load of each resource over the months as a share of what is there; above 100 % it limits."""
    rows = frame.filter(pl.col("load_share").is_finite())
    if rows.is_empty() or rows["month"].n_unique() < 2:
        return None
    order = {"load_share": True, "phase": False, "resource": False, "month": False}
    top = rows.sort(list(order), descending=list(order.values())).row(0, named=True)
    figure = new_figure(
        f"{begin(top['resource'])} comes nearest to its limit: {show(top['load_share'], 'share', 2)} of what is there in month "
        f"{top['month']}" if top["load_share"] <= 1 else f"{begin(top['resource'])} is short by most: in month {top['month']} "
        f"{show(top['load_share'], 'share', 2)} of what is there is needed",
        height=390, about="Demand over supply of each resource, medians; above the dotted line it limits.",
    )  # fmt: skip
    names = rows.group_by("phase", "resource").agg(pl.col("load_share").max())
    names = names.sort("load_share", "phase", "resource", descending=[True, False, False])
    for (phase, resource), (color, dash) in zip(names.select("phase", "resource").iter_rows(), _RESOURCE_LINES, strict=False):
        line = rows.filter((pl.col("phase") == phase) & (pl.col("resource") == resource)).sort("month")
        words = f"{plain(resource, 40)}, {plain(phase, 20)}"  # it stands in the legend, on a phone too
        figure.add_scatter(
            x=line["month"].to_list(), y=line["load_share"].to_list(), mode="lines", name=words,
            line={"color": color, "width": 2.2, "dash": dash}, hovertemplate=f"{words}, month %{{x}}: %{{y:.0%}}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=1, line={"color": INK, "width": 1.2, "dash": "dot"})
    months_axis(figure, rows["month"].to_list())
    figure.update_yaxes(title_text="demand over supply", tickformat=".0%", rangemode="tozero")
    return figure
