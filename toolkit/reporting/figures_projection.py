"""Figures of a projection over the months: growth, storage by kind, bandwidth against supply, load, cost and latency."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import add_fan, axis_ticks
from toolkit.reporting.design import BLUE, GRAY, GREEN, INK, MUTED, ORANGE, PINK, SKY, VERMILLION, new_figure
from toolkit.reporting.figures_choices import choice_figures
from toolkit.reporting.figures_costs import cost_by_month, cost_so_far
from toolkit.reporting.figures_influences import influence_figures
from toolkit.reporting.figures_plan import budget_and_purchase, plan_by_quarter
from toolkit.reporting.figures_regimes import ways_of_training
from toolkit.reporting.figures_risks import limits_by_month, shortages
from toolkit.reporting.figures_whatif import doubling, tornadoes
from toolkit.reporting.timelines import Series, months_axis, series
from toolkit.reporting.wording import begin, interval, plain, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["STORAGE_KINDS", "projection_figures"]

STORAGE_KINDS: Final = {
    "storage.raw_bytes": BLUE,
    "storage.curated_bytes": SKY,
    "storage.versions_bytes": GREEN,
    "storage.checkpoint_bytes": ORANGE,
    "dataset.component_bytes": VERMILLION,
    "storage.protection_bytes": PINK,
    "storage.small_parts_bytes": MUTED,
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

_RESOURCE_LINES: Final = (
    (BLUE, "solid"), (VERMILLION, "dash"), (GREEN, "dot"), (ORANGE, "dashdot"), (SKY, "longdash"), (PINK, "longdashdot"),
)  # fmt: skip


def projection_figures(projection: Projection) -> dict[str, go.Figure]:
    """Return the figures of a projection, by name; those without anything to show are left out."""
    frame = projection.frame
    units = dict(projection.assumptions.select("name", "unit").iter_rows())
    figures: dict[str, go.Figure | None] = {
        "growth": fan(frame, "dataset.images", "The dataset"),
        "storage": storage(frame),
        "bandwidth": demand_and_supply(frame),
        "bottlenecks": bottlenecks(projection.bottlenecks),
        "compute": fan(frame, _devices(frame), "GPUs for training"),
        "elapsed": fan(frame, "training.elapsed_s", "A training run"),
        "cost": fan(frame, "training.cost_usd", "Training"),
        "latency": latency(frame),
        "doubling": doubling(projection.doubling),
        "regimes": ways_of_training(projection.doubling),
        "quarters": plan_by_quarter(projection.plan.frame),
        "budget": budget_and_purchase(projection.plan.frame),
        "risks": shortages(frame),
        "limits": limits_by_month(projection.bottlenecks),
        "cost-by-month": cost_by_month(projection),
        "cost-so-far": cost_so_far(projection),
    }
    figures |= tornadoes(projection.sensitivity, units) | influence_figures(projection.influences)
    figures |= choice_figures(projection.plan.alternatives)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _devices(frame: pl.DataFrame) -> str:
    """Return the quantity that tells the range of devices: what draws need, where one count is bought for all of them."""
    needed = "training.needed_count"
    return needed if needed in frame["quantity"] else "training.gpu_count"


def fan(frame: pl.DataFrame, quantity: str, subject: str) -> go.Figure | None:
    """Return one quantity's median over its p10 to p90 band; None if there is none its months are one, or it never changes."""
    line = series(frame, quantity)
    if line is None or len(line.months) < 2:
        return None
    if len({*line.p10, *line.p50, *line.p90}) == 1:
        return None  # a number says it better than a flat line
    first, last, month = show(line.p50[0], line.unit), show(line.p50[-1], line.unit), line.months[-1]
    band = interval(line.p10[-1], line.p90[-1], line.unit)
    spread = "" if band == last else f" ({band})"
    finding = f"{subject}: {first} now, {last} in month {month}{spread}"
    if first == last:
        finding = f"{subject}: {last} throughout{spread}"
    words = quantity_words(quantity)
    figure = new_figure(finding, height=350, about="The line is the median, the band p10 to p90.")
    add_fan(figure, line.months, line.p10, line.p50, line.p90, name=words, unit=line.unit, color=BLUE)
    months_axis(figure, line.months)
    figure.update_yaxes(title_text=words, **axis_ticks(max(line.p90), line.unit))
    figure.update_layout(showlegend=False)
    return figure


def storage(frame: pl.DataFrame) -> go.Figure | None:
    """Return the storage capacity stacked by kind (medians), with the p90 of the whole as a line."""
    parts = {name: series(frame, name) for name in STORAGE_KINDS} | {"storage.small_parts_bytes": _small_parts(frame)}
    kinds = {name: line for name, line in parts.items() if line is not None and max(line.p50) > 0}
    if not kinds:
        return None
    months = next(iter(kinds.values())).months
    total = series(frame, "storage.capacity_bytes")
    about = "Areas are medians by kind; the line is the p90 of the capacity as a whole."
    figure = new_figure(_storage_finding(kinds, total, months[-1]), height=420, about=about)
    for name, line in kinds.items():
        color, words = STORAGE_KINDS[name], quantity_words(name)
        figure.add_scatter(
            x=line.months, y=line.p50, stackgroup="kinds", name=words, mode="lines", line={"width": 0.8, "color": color},
            fillcolor=color, customdata=[show(v, "bytes") for v in line.p50],
            hovertemplate=f"{words}, month %{{x}}: %{{customdata}}<extra></extra>",
        )  # fmt: skip
    top = max(sum(values) for values in zip(*(line.p50 for line in kinds.values()), strict=False))
    if total:
        top = max(top, *total.p90)
        figure.add_scatter(
            x=total.months, y=total.p90, mode="lines", name="capacity, p90", line={"color": INK, "width": 2, "dash": "dash"},
            customdata=[show(v, "bytes") for v in total.p90], hovertemplate="p90, month %{x}: %{customdata}<extra></extra>",
        )  # fmt: skip
    months_axis(figure, months)
    figure.update_yaxes(title_text="storage capacity", **axis_ticks(top, "bytes"))
    figure.update_layout(legend={"traceorder": "normal"})
    return figure


def _small_parts(frame: pl.DataFrame) -> Series | None:
    """Return the sum of the small parts' medians as one line."""
    lines = [line for name in _SMALL_PARTS if (line := series(frame, name)) is not None]
    if not lines:
        return None
    p10, p50, p90 = ([sum(values) for values in zip(*(getattr(line, q) for line in lines), strict=True)] for q in _QUANTILES)
    return dataclasses.replace(lines[0], p10=p10, p50=p50, p90=p90)


def _storage_finding(kinds: dict[str, Series], total: Series | None, month: int) -> str:
    end = total.p50[-1] if total else sum(line.p50[-1] for line in kinds.values())
    largest = max(kinds, key=lambda name: kinds[name].p50[-1])
    if not end:
        return f"In month {month} nothing is stored"
    share = show(min(kinds[largest].p50[-1] / end, 1.0), "share", 2)
    return f"In month {month} storage takes {show(end, 'bytes')}; the largest part, {share}: {quantity_words(largest)}"


def demand_and_supply(frame: pl.DataFrame) -> go.Figure | None:
    """Return the storage bandwidth that is needed against what is there, and the month in which it runs out."""
    demand = series(frame, "bandwidth.storage_demand_bytes_per_s")
    supply = series(frame, "bandwidth.storage_supply_bytes_per_s")
    if demand is None:
        return None
    out = None if supply is None else _first_month(demand, supply)
    figure = new_figure(_supply_finding(demand, supply, out), height=370, about="Lines are medians, bands p10 to p90.")
    lines = [("demand", demand, VERMILLION, "solid")] + ([("supply", supply, BLUE, "dash")] if supply else [])
    for name, line, color, dash in lines:
        add_fan(figure, line.months, line.p10, line.p50, line.p90, name=name, unit=line.unit, color=color, dash=dash)
    if out is not None and out > demand.months[0]:
        figure.add_vline(x=out, line={"color": INK, "width": 1.2, "dash": "dot"})
        side = "right" if out > demand.months[-1] * 0.45 else "left"
        figure.add_annotation(
            x=out, y=1, yref="paper", text=f" runs out in month {out} ", showarrow=False, xanchor=side, yanchor="top"
        )
    months_axis(figure, demand.months)
    figure.update_yaxes(title_text="storage bandwidth", **axis_ticks(max(max(line.p90) for _, line, *_ in lines), "bytes_per_s"))
    return figure


def _first_month(demand: Series, supply: Series) -> int | None:
    have = dict(zip(supply.months, supply.p50, strict=True))
    return next((m for m, need in zip(demand.months, demand.p50, strict=True) if m in have and need > have[m]), None)


def _supply_finding(demand: Series, supply: Series | None, out: int | None) -> str:
    end = f"{show(demand.p50[-1], 'bytes_per_s')} needed in month {demand.months[-1]}"
    if supply is None:
        return f"Storage bandwidth: {end}; what there is, nobody said"
    there = f"{show(supply.p50[-1], 'bytes_per_s')} there"
    if out is None:
        return f"Storage keeps up: {end}, {there}"
    when = "from the start" if out == demand.months[0] else f"from month {out}"
    return f"Storage bandwidth falls short {when}: {end}, {there}"


def bottlenecks(frame: pl.DataFrame) -> go.Figure | None:
    """Return the load of each resource over the months as a share of what is there; above 100 % it limits."""
    rows = frame.filter(pl.col("load_share").is_finite())
    if rows.is_empty() or rows["month"].n_unique() < 2:
        return None
    order = {"load_share": True, "phase": False, "resource": False}
    last = rows.filter(pl.col("month") == rows["month"].max()).sort(list(order), descending=list(order.values()))
    first = last.row(0, named=True)
    finding = (
        f"{first['resource']} is loaded most in month {first['month']}: {show(first['load_share'], 'share', 2)} of what is there"
    )
    figure = new_figure(
        begin(finding), height=390, about="Demand over supply of each resource, medians; above the dotted line it limits."
    )
    names = rows.group_by("phase", "resource").agg(pl.col("load_share").max()).sort(list(order), descending=list(order.values()))
    for (phase, resource, _), (color, dash) in zip(
        names.select("phase", "resource", "load_share").iter_rows(), _RESOURCE_LINES, strict=False
    ):
        line = rows.filter((pl.col("phase") == phase) & (pl.col("resource") == resource)).sort("month")
        words = f"{plain(resource, 28)}, {plain(phase, 20)}"  # it stands in the legend, on a phone too
        figure.add_scatter(
            x=line["month"].to_list(), y=line["load_share"].to_list(), mode="lines", name=words,
            line={"color": color, "width": 2.2, "dash": dash}, hovertemplate=f"{words}, month %{{x}}: %{{y:.0%}}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=1, line={"color": INK, "width": 1.2, "dash": "dot"})
    months_axis(figure, rows["month"].to_list())
    figure.update_yaxes(title_text="demand over supply", tickformat=".0%", rangemode="tozero")
    return figure


def latency(frame: pl.DataFrame) -> go.Figure | None:
    """Return the median and 99th percentile of the inference latency over the months; None where they never change."""
    lines = {
        "median request": series(frame, "inference.latency_p50_s"),
        "99th percentile": series(frame, "inference.latency_p99_s"),
    }
    shown = {name: line for name, line in lines.items() if line is not None and len({*line.p10, *line.p50, *line.p90}) > 1}
    if not shown:
        return None
    name, line = list(shown.items())[-1]
    finding = f"Inference latency in month {line.months[-1]}: {show(line.p50[-1], 's')} ({name})"
    figure = new_figure(finding, height=350, about="Lines are medians of the draws, bands p10 to p90.")
    for (words, part), (color, dash) in zip(shown.items(), ((BLUE, "solid"), (VERMILLION, "dash")), strict=False):
        add_fan(figure, part.months, part.p10, part.p50, part.p90, name=words, unit="s", color=color, dash=dash)
    months_axis(figure, line.months)
    figure.update_yaxes(title_text="latency", **axis_ticks(max(max(part.p90) for part in shown.values()), "s"))
    return figure
