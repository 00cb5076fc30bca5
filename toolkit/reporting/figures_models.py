"""Figures of laws fitted to sweeps: what was measured, what the law says with its interval, and where the data ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from toolkit.reporting.charts import axis_ticks, log_ticks
from toolkit.reporting.design import BLUE, INK, TRACK, band, new_figure
from toolkit.reporting.wording import begin, plain
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.facts import MeasurementSet, Model

__all__ = ["model_figures"]

_MOST: Final = 6


def model_figures(found: MeasurementSet) -> dict[str, go.Figure]:
    """Return a figure for each of the first few laws that were fitted to a sweep, by name."""
    swept = [model for model in found.models if model.swept]
    figures = {f"law-{place + 1}": _law(model) for place, model in enumerate(swept[:_MOST])}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _law(model: Model) -> go.Figure | None:
    points = sorted((p for p in model.predictions if p.value is not None and p.level > 0), key=lambda p: p.level)
    values = [p.value for p in points if p.value is not None and math.isfinite(p.value)]
    if len(values) < len(points) or len(points) < 2:
        return None
    unit = "bytes" if model.swept.endswith("_bytes") else "count"
    swept = model.swept.removesuffix("_bytes").replace("_", " ")
    last = points[-1]
    level = f"{show(last.level, unit)} {swept}" if swept.endswith("s") else f"{swept} {show(last.level, unit)}"
    beyond = ", beyond the data" if last.is_beyond_data else ""
    finding = f"{begin(model.title)}: {show(last.value, model.unit)} at {level}{beyond}"
    about = f"Dots were measured; the line is the {model.law} law, its band the 95 % interval; shaded: beyond the data."
    figure = new_figure(finding, height=330, about=about)
    sure = [p for p in points if p.low is not None and p.high is not None and math.isfinite(p.high)]
    levels = [p.level for p in sure]
    highs, lows = [p.high for p in sure], [p.low for p in sure]
    figure.add_scatter(
        x=[*levels, *reversed(levels)], y=[*highs, *reversed(lows)], fill="toself", fillcolor=band(BLUE), mode="lines",
        line={"width": 0}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=[p.level for p in points], y=values, mode="lines", name=f"{model.law} law", line={"color": BLUE, "width": 2.5},
        hovertext=[f"{swept} {show(p.level, unit)}: {show(p.value, model.unit)}" for p in points], hoverinfo="text",
    )  # fmt: skip
    measured = [p for p in points if p.measured is not None]
    figure.add_scatter(
        x=[p.level for p in measured], y=[p.measured for p in measured], mode="markers", name="measured",
        marker={"color": INK, "size": 8}, hoverinfo="text",
        hovertext=[f"{swept} {show(p.level, unit)}: {show(p.measured, model.unit)} measured" for p in measured],
    )  # fmt: skip
    ticks = log_ticks([p.level for p in points], unit)
    edge = max((p.level for p in measured), default=points[0].level)
    if last.is_beyond_data and last.level > edge:
        figure.add_vrect(x0=edge, x1=last.level, fillcolor=TRACK, opacity=0.45, line_width=0, layer="below")
    figure.update_xaxes(title_text=f"{plain(swept)} (logarithmic)", **ticks)
    top = max([*values, *(p.measured for p in measured if p.measured is not None), *(high for high in highs if high is not None)])
    quantity = "time" if model.unit == "s" else "rate"  # the title says of what; a whole sentence does not fit along an axis
    figure.update_yaxes(title_text=quantity, **axis_ticks(top, model.unit))
    return figure
