"""Figures of a projection: growth, storage, bandwidth against supply, doubling, sensitivity, compute and latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from toolkit.reporting.charts import add_fan, axis_ticks, finish_rows, row_label
from toolkit.reporting.design import BLUE, GRAY, GREEN, INK, ORANGE, PALE, PINK, SKY, VERMILLION, new_figure, plain
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.projection.result import Projection

__all__ = ["STORAGE_KINDS", "projection_figures", "quantity_words", "series"]

STORAGE_KINDS: Final = {
    "storage.raw_bytes": ("raw images", BLUE),
    "storage.curated_bytes": ("curated dataset", SKY),
    "storage.versions_bytes": ("older versions", GREEN),
    "storage.checkpoint_bytes": ("checkpoints", ORANGE),
    "storage.protection_bytes": ("replicas or parity", PINK),
    "storage.headroom_bytes": ("headroom", GRAY),
}
"""The parts of the storage capacity, in the order in which they are stacked."""

_RESOURCE_COLORS: Final = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PINK, GRAY)
_RESOURCE_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
TORNADO_MOST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One quantity over the months."""

    unit: str
    months: list[int]
    p10: list[float]
    p50: list[float]
    p90: list[float]


def series(frame: pl.DataFrame, quantity: str) -> Series | None:
    """Return a quantity's months and quantiles from a projection's frame; None if it is not there or has no finite value."""
    rows = frame.filter((pl.col("quantity") == quantity) & pl.col("p50").is_finite()).sort("month")
    if rows.is_empty():
        return None
    low, high = (rows[name].fill_nan(None).fill_null(rows["p50"]).to_list() for name in ("p10", "p90"))
    return Series(unit=rows["unit"][0], months=rows["month"].to_list(), p10=low, p50=rows["p50"].to_list(), p90=high)


def quantity_words(quantity: str, unit: str = "") -> str:
    """Return a dotted quantity as words, without the unit at its end.

    Examples
    --------
    >>> quantity_words("bandwidth.epoch_read_bytes_per_s", "bytes_per_s")
    'epoch read'
    """
    last = quantity.rsplit(".", 1)[-1]
    for suffix in (unit, "bytes_per_s", "bytes", "usd", "count", "flop", "s", "w", "j"):
        if suffix and last.endswith("_" + suffix):
            last = last.removesuffix("_" + suffix)
            break
    return last.replace("_", " ")


def projection_figures(projection: Projection) -> dict[str, go.Figure]:
    """Return the figures of a projection, by name; those without anything to show are left out."""
    frame = projection.frame
    figures: dict[str, go.Figure | None] = {
        "growth": fan(frame, "dataset.images", "images in the dataset", "The dataset grows"),
        "storage": storage(frame),
        "bandwidth": demand_and_supply(frame),
        "compute": fan(frame, "training.gpu_count", "GPUs for training", "Training needs"),
        "bottlenecks": bottlenecks(projection.bottlenecks),
        "doubling": doubling(projection.doubling),
        "latency": latency(frame, projection.scenario),
        "cost": fan(frame, "training.cost_usd", "cost of training", "Training costs"),
    }
    figures |= tornadoes(projection.sensitivity)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _months_axis(figure: go.Figure, months: Sequence[int]) -> None:
    last = max(months)
    step = next((s for s in (1, 2, 3, 6, 12, 24) if last / s <= 8), 60)
    figure.update_xaxes(title_text="months from now", dtick=step, tick0=0, range=[min(months), max(last, min(months) + 1)])


def fan(frame: pl.DataFrame, quantity: str, noun: str, verb: str) -> go.Figure | None:
    """Return one quantity's median over its p10 to p90 band; None if there is none or it has a single month."""
    line = series(frame, quantity)
    if line is None or len(line.months) < 2:
        return None
    figure = new_figure(_change(verb, line), height=340, about=f"{noun}: line p50, band p10 to p90.")
    add_fan(figure, line.months, line.p10, line.p50, line.p90, name=noun, unit=line.unit, color=BLUE)
    _months_axis(figure, line.months)
    figure.update_yaxes(title_text=noun, **axis_ticks(max(line.p90), line.unit))
    figure.update_layout(showlegend=False, margin={"t": 56})
    return figure


def _change(verb: str, line: Series) -> str:
    first, last = show(line.p50[0], line.unit), show(line.p50[-1], line.unit)
    if first == last:
        return (
            f"{verb} {'not at all: it stays at' if verb.endswith('grows') else ''} {last} over {line.months[-1]} months".replace(
                "  ", " "
            )
        )
    low, high = show(line.p10[-1], line.unit), show(line.p90[-1], line.unit)
    return f"{verb} from {first} to {last} in {line.months[-1]} months ({low} to {high})".replace("costs from", "goes from")


def storage(frame: pl.DataFrame) -> go.Figure | None:
    """Return the storage capacity stacked by kind (medians), with the p90 of the whole as a line."""
    parts = {name: series(frame, name) for name in STORAGE_KINDS}
    kinds = {name: line for name, line in parts.items() if line is not None and max(line.p50) > 0}
    if not kinds:
        return None
    months = next(iter(kinds.values())).months
    largest = max(kinds, key=lambda name: kinds[name].p50[-1])
    total = series(frame, "storage.capacity_bytes")
    end = total.p50[-1] if total else sum(line.p50[-1] for line in kinds.values())
    share = show(kinds[largest].p50[-1] / end, "share", 2) if end else "all"
    finding = (
        f"In month {months[-1]} storage takes {show(end, 'bytes')}; {STORAGE_KINDS[largest][0]} are the largest part ({share})"
    )
    figure = new_figure(finding.replace("dataset are", "dataset is").replace("headroom are", "headroom is"), height=400,
                        about="Areas are medians and stack to the capacity; the line is the capacity's p90.")  # fmt: skip
    for name, line in kinds.items():
        words, color = STORAGE_KINDS[name]
        figure.add_scatter(
            x=line.months, y=line.p50, stackgroup="kinds", name=words, mode="lines", line={"width": 0.8, "color": color},
            fillcolor=color, customdata=[show(v, "bytes") for v in line.p50],
            hovertemplate=f"{words}, month %{{x}}: %{{customdata}}<extra></extra>",
        )  # fmt: skip
    top = sum(max(line.p50) for line in kinds.values())
    if total:
        top = max(top, *total.p90)
        figure.add_scatter(
            x=total.months, y=total.p90, mode="lines", name="capacity, p90", line={"color": INK, "width": 2, "dash": "dash"},
            customdata=[show(v, "bytes") for v in total.p90], hovertemplate="p90, month %{x}: %{customdata}<extra></extra>",
        )  # fmt: skip
    _months_axis(figure, months)
    figure.update_yaxes(title_text="storage capacity", **axis_ticks(top, "bytes"))
    figure.update_layout(margin={"t": 96})
    return figure


def demand_and_supply(frame: pl.DataFrame) -> go.Figure | None:
    """Return the storage bandwidth that is needed against what is there, and the month in which it runs out."""
    demand = series(frame, "bandwidth.storage_demand_bytes_per_s")
    supply = series(frame, "bandwidth.storage_supply_bytes_per_s")
    if demand is None:
        return None
    out = None if supply is None else _first_month(demand, supply)
    figure = new_figure(_supply_finding(demand, supply, out), height=360, about="Lines p50, bands p10 to p90.")
    lines = [("demand", demand, VERMILLION, "solid")] + ([("supply", supply, BLUE, "dash")] if supply else [])
    for name, line, color, dash in lines:
        add_fan(figure, line.months, line.p10, line.p50, line.p90, name=name, unit=line.unit, color=color, dash=dash)
    if out is not None:
        figure.add_vline(x=out, line={"color": INK, "width": 1.2, "dash": "dot"})
        side = "right" if out > demand.months[-1] * 0.6 else "left"
        figure.add_annotation(
            x=out, y=1, yref="paper", text=f" runs out: month {out} ", showarrow=False, xanchor=side, yanchor="top"
        )
    _months_axis(figure, demand.months)
    figure.update_yaxes(title_text="storage bandwidth", **axis_ticks(max(max(line.p90) for _, line, *_ in lines), "bytes_per_s"))
    figure.update_layout(margin={"t": 84})
    return figure


def _first_month(demand: Series, supply: Series) -> int | None:
    have = dict(zip(supply.months, supply.p50, strict=True))
    return next((m for m, need in zip(demand.months, demand.p50, strict=True) if m in have and need > have[m]), None)


def _supply_finding(demand: Series, supply: Series | None, out: int | None) -> str:
    end = f"{show(demand.p50[-1], 'bytes_per_s')} in month {demand.months[-1]}"
    if supply is None:
        return f"Storage must deliver {end}; what is there is not known"
    if out is None:
        return f"Storage keeps up: {end} is needed, {show(supply.p50[-1], 'bytes_per_s')} is there"
    when = "from the start" if out == demand.months[0] else f"in month {out}"
    return f"Storage bandwidth falls short {when}: {end} is needed, {show(supply.p50[-1], 'bytes_per_s')} is there"


def bottlenecks(frame: pl.DataFrame) -> go.Figure | None:
    """Return the load of each resource over the months as a share of what is there; above 100 % it limits."""
    rows = frame.filter(pl.col("load_share").is_finite()) if "load_share" in frame.columns else pl.DataFrame()
    if rows.is_empty() or rows["month"].n_unique() < 2:
        return None
    last = rows.filter(pl.col("month") == rows["month"].max()).sort("load_share", "resource", descending=[True, False])
    first = last.row(0, named=True)
    finding = (
        f"{first['resource']} is loaded most in month {first['month']}: {show(first['load_share'], 'share', 2)} of what is there"
    )
    figure = new_figure(finding[0].upper() + finding[1:], height=380, about="Demand over supply of each resource, medians.")
    names = (
        rows.group_by("phase", "resource")
        .agg(pl.col("load_share").max())
        .sort("load_share", "phase", "resource", descending=[True, False, False])
    )
    for place, (phase, resource, _) in enumerate(names.head(len(_RESOURCE_COLORS)).iter_rows()):
        line = rows.filter((pl.col("phase") == phase) & (pl.col("resource") == resource)).sort("month")
        words = f"{plain(resource)} ({plain(phase)})"
        figure.add_scatter(
            x=line["month"].to_list(), y=line["load_share"].to_list(), mode="lines", name=words,
            line={"color": _RESOURCE_COLORS[place], "width": 2.2, "dash": _RESOURCE_DASHES[place]},
            hovertemplate=f"{words}, month %{{x}}: %{{y:.0%}}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=1, line={"color": INK, "width": 1.2, "dash": "dot"})
    _months_axis(figure, rows["month"].to_list())
    figure.update_yaxes(title_text="load (demand over supply)", tickformat=".0%", rangemode="tozero")
    figure.update_layout(margin={"t": 110})
    return figure


def doubling(frame: pl.DataFrame) -> go.Figure | None:
    """Return a heat map of how each resource grows as the data doubles, with its values written in the cells."""
    columns = {"x1": "as it is", "x2": "twice", "x4": "4 times", "x8": "8 times"}
    rows = [row for row in frame.iter_rows(named=True) if all(_finite(row[c]) for c in columns) and row["x1"] > 0]
    if not rows:
        return None
    rows = rows[:14]
    factors = [[row[c] / row["x1"] for c in columns] for row in rows]
    steepest = max(rows, key=lambda row: row["x8"] / row["x1"])
    finding = f"With 8 times the data, {quantity_words(steepest['quantity'], steepest['unit'])} grows {steepest['x8'] / steepest['x1']:.3g} times"
    figure = new_figure(finding, about="Factor over today's data; darker is steeper.")
    figure.add_heatmap(
        z=[[math.log2(max(f, 1e-9)) for f in line] for line in factors], x=list(columns.values()), y=list(range(len(rows))),
        text=[[show(row[c], row["unit"]) for c in columns] for row in rows], texttemplate="%{text}", xgap=3, ygap=22,
        colorscale=[[0, PALE], [1, SKY]], zmin=0, zmax=max(3.0, *(math.log2(max(line[-1], 1e-9)) for line in factors)),
        showscale=False, textfont={"color": INK, "size": 12},
        hovertext=[[f"{f:.3g} times" for f in line] for line in factors], hovertemplate="%{x} the data: %{text} (%{hovertext})<extra></extra>",
    )  # fmt: skip
    for place, row in enumerate(rows):
        row_label(
            figure,
            place,
            plain(row["resource"]),
            f"{quantity_words(row['quantity'], row['unit'])} · exponent {_number(row['exponent'])}",
        )
    figure.update_xaxes(title_text="data", side="bottom", showgrid=False)
    finish_rows(figure, len(rows))
    figure.update_layout(height=110 + 56 * len(rows))
    for note in figure.layout.annotations:
        note.yshift = 22
    return figure


def tornadoes(frame: pl.DataFrame, most: int = 3) -> dict[str, go.Figure]:
    """Return one tornado for each quantity of a sensitivity frame, at most ``most``: what moves it, largest first."""
    names = frame["quantity"].unique(maintain_order=True).to_list() if not frame.is_empty() else []
    figures = {}
    for quantity in names[:most]:
        rows = frame.filter(
            (pl.col("quantity") == quantity) & pl.col("low_result").is_finite() & pl.col("high_result").is_finite()
        ).with_columns(swing=(pl.col("high_result") - pl.col("low_result")).abs())
        rows = rows.filter(pl.col("swing") > 0).sort("swing", "input", descending=[True, False]).head(TORNADO_MOST)
        if not rows.is_empty():
            figures[f"tornado-{quantity.replace('.', '-').replace('_', '-')}"] = _tornado(quantity, rows)
    return figures


def _tornado(quantity: str, rows: pl.DataFrame) -> go.Figure:
    unit, words = rows["unit"][0], quantity_words(quantity, rows["unit"][0])
    top = rows.row(0, named=True)
    finding = f"{plain(top['input'])} moves {words} most: {show(min(top['low_result'], top['high_result']), unit)} to " + show(
        max(top["low_result"], top["high_result"]), unit
    )
    figure = new_figure(finding[0].upper() + finding[1:], about="Each input goes from its low to its high value alone.")
    middle = float(((rows["low_result"] + rows["high_result"]) / 2).median() or 0.0)  # type: ignore[arg-type]  # a float column's median
    for side, color in (("low", SKY), ("high", VERMILLION)):
        figure.add_bar(
            x=[value - middle for value in rows[f"{side}_result"]], base=middle, y=list(range(rows.height)), orientation="h",
            width=0.34, marker={"color": color}, name=f"input {side}",
            hovertext=[f"{plain(r['input'])} {side} ({_shown(r[f'{side}_input'])}): {show(r[f'{side}_result'], unit)}" for r in rows.iter_rows(named=True)],
            hoverinfo="text",
        )  # fmt: skip
    for place, row in enumerate(rows.iter_rows(named=True)):
        row_label(figure, place, plain(row["input"]), f"{_shown(row['low_input'])} to {_shown(row['high_input'])}")
    low = float(min(rows["low_result"].min(), rows["high_result"].min()))  # type: ignore[type-var,arg-type]  # float columns
    high = float(max(rows["low_result"].max(), rows["high_result"].max()))  # type: ignore[type-var,arg-type]  # float columns
    margin = (high - low) * 0.04
    figure.update_xaxes(title_text=words, **axis_ticks(high, unit, bottom=low - margin))
    finish_rows(figure, rows.height)
    figure.update_layout(barmode="overlay", showlegend=True, margin={"t": 76}, height=figure.layout.height + 24)
    return figure


def latency(frame: pl.DataFrame, scenario: dict[str, Any]) -> go.Figure | None:
    """Return the median and 99th percentile of the inference latency over the months."""
    lines = {
        "p50 of requests": series(frame, "inference.latency_p50_s"),
        "p99 of requests": series(frame, "inference.latency_p99_s"),
    }
    shown = {name: line for name, line in lines.items() if line is not None and len(line.months) > 1}
    if not shown:
        return None
    name, line = list(shown.items())[-1]
    finding = f"In month {line.months[-1]} {name} are answered within {show(line.p50[-1], 's')}"
    figure = new_figure(finding, height=340, about="Lines p50 of the draws, bands p10 to p90.")
    for (words, part), color, dash in zip(shown.items(), (BLUE, VERMILLION), ("solid", "dash"), strict=False):
        add_fan(figure, part.months, part.p10, part.p50, part.p90, name=words, unit="s", color=color, dash=dash)
    _months_axis(figure, line.months)
    figure.update_yaxes(title_text="latency", **axis_ticks(max(max(part.p90) for part in shown.values()), "s"))
    figure.update_layout(margin={"t": 84})
    return figure


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) and math.isfinite(value) else "unknown"


def _shown(value: object) -> str:
    return plain(show(float(value), "", 3) if isinstance(value, int | float) else value)
