"""Figures of serving: latency over the months, and against the load of a device, each with the objective to be met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.projection.inference import latencies
from toolkit.reporting.charts import add_fan, axis_ticks, log_ticks
from toolkit.reporting.design import BLUE, GRAY, INK, VERMILLION, new_figure
from toolkit.reporting.timelines import months_axis, series
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["latency", "latency_against_load"]

_LINES: Final = {"median request": (BLUE, "solid"), "99th percentile": (VERMILLION, "dash")}
_LOADS: Final = (0.05, 0.15, 0.3, 0.45, 0.6, 0.7, 0.78, 0.84, 0.89, 0.93, 0.96, 0.98, 0.99, 0.997)
"""Shares of the most that a device can answer; closer together where latency turns up."""


def latency(projection: Projection) -> go.Figure | None:
    """Return the median and 99th percentile of the inference latency by month, with the objective; None if they never change."""
    lines = {
        "median request": series(projection.frame, "inference.latency_p50_s"),
        "99th percentile": series(projection.frame, "inference.latency_p99_s"),
    }
    shown = {name: line for name, line in lines.items() if line is not None and len({*line.p10, *line.p50, *line.p90}) > 1}
    if not shown:
        return None
    name, line = list(shown.items())[-1]
    objective_s = _middle(projection, "inference.objective_s")
    finding = f"Inference latency in month {line.months[-1]}: {show(line.p50[-1], 's')} ({name})"
    if objective_s:
        worst = max(range(len(line.p50)), key=lambda i: line.p50[i])
        held = "within" if line.p50[worst] <= objective_s else "beyond"
        finding += f"; at most {show(line.p50[worst], 's')}, {held} the objective of {show(objective_s, 's')}"
    figure = new_figure(finding, height=350, about="Lines are medians of the draws, bands p10 to p90.")
    for words, part in shown.items():
        color, dash = _LINES[words]
        add_fan(figure, part.months, part.p10, part.p50, part.p90, name=words, unit="s", color=color, dash=dash)
    months_axis(figure, line.months)
    top = max(max(part.p90) for part in shown.values())
    if objective_s:
        _add_objective(figure, [line.months[0], line.months[-1]], objective_s)
    figure.update_yaxes(title_text="latency", **axis_ticks(max(top, objective_s or 0), "s"))
    return figure


def _middle(projection: Projection, name: str) -> float | None:
    """Return the last median of a quantity that was put in or computed; None where the projection has none."""
    node = projection.explanations.get(name)
    return node.p50[-1] if node is not None and node.p50 else None


def _add_objective(figure: go.Figure, ends: list[float], objective_s: float) -> None:
    words = f"objective, {show(objective_s, 's')}"
    figure.add_scatter(
        x=ends, y=[objective_s] * 2, mode="lines", name=words, line={"color": INK, "width": 1.8, "dash": "dot"}, hoverinfo="name"
    )


def latency_against_load(projection: Projection) -> go.Figure | None:
    """Return what a device's answers take at each load, by the queue that the projection simulates; None where none is served."""
    names = ("single_s", "offline_per_s", "batch_count", "arrival_variation_factor", "objective_s", "capacity_per_s")
    given = {name: _middle(projection, f"inference.{name}") for name in names}
    single_s, offline_per_s, batch = given["single_s"], given["offline_per_s"], given["batch_count"]
    objective_s, capacity_per_s = given["objective_s"], given["capacity_per_s"]
    if not (single_s and offline_per_s and batch and objective_s and capacity_per_s):
        return None
    most_per_s = batch / (single_s + (batch - 1) / offline_per_s)
    rates = [float(f"{most_per_s * share:.3g}") for share in _LOADS]
    found = [latencies(rate, single_s, offline_per_s, int(batch), given["arrival_variation_factor"] or 1.0) for rate in rates]
    load_per_s = _middle(projection, "inference.load_per_s")
    figure = new_figure(
        _load_finding(objective_s, capacity_per_s, load_per_s, max(projection.months, default=0)), height=350,
        about="One device, random arrivals: the projection's own queue, simulated at each load.",
    )  # fmt: skip
    for words, values in (("median request", [f.p50_s for f in found]), ("99th percentile", [f.p99_s for f in found])):
        color, dash = _LINES[words]
        figure.add_scatter(
            x=rates, y=values, mode="lines", name=words, line={"color": color, "width": 2.5, "dash": dash}, hoverinfo="text",
            hovertext=[f"{words} at {r:,.0f} requests/s: {show(v, 's')}" for r, v in zip(rates, values, strict=True)],
        )  # fmt: skip
    _add_objective(figure, [0, most_per_s], objective_s)
    for at, words in ((capacity_per_s, "capacity"), (load_per_s, "asked for")):
        if at:
            figure.add_vline(x=at, line={"color": GRAY, "width": 1.5, "dash": "dash" if words == "capacity" else "solid"})
    ends = [value for f in found for value in (f.p50_s, f.p99_s)]
    figure.update_yaxes(title_text="latency (logarithmic)", **log_ticks([*ends, objective_s], "s"))
    figure.update_xaxes(title_text="requests a second on one device", **axis_ticks(most_per_s, "count"))
    return figure


def _load_finding(objective_s: float, capacity_per_s: float, load_per_s: float | None, month: int) -> str:
    finding = f"One device answers 99 % within {show(objective_s, 's')} up to {capacity_per_s:,.0f} requests/s (broken line)"
    return f"{finding}; in month {month} it gets {load_per_s:,.0f} (solid line)" if load_per_s else finding
