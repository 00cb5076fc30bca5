"""Every figure of a projection, by name; and fans of single quantities over the months."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.reporting.charts import add_fan, axis_ticks
from toolkit.reporting.design import BLUE, new_figure
from toolkit.reporting.figures_choices import choice_figures
from toolkit.reporting.figures_costs import cost_by_month, cost_so_far
from toolkit.reporting.figures_influences import influence_figures
from toolkit.reporting.figures_load import bottlenecks, demand_and_supply
from toolkit.reporting.figures_plan import budget_and_purchase, plan_by_quarter
from toolkit.reporting.figures_regimes import ways_of_training
from toolkit.reporting.figures_risks import limits_by_month, shortages
from toolkit.reporting.figures_serving import latency, latency_against_load
from toolkit.reporting.figures_storage import storage
from toolkit.reporting.figures_whatif import doubling, tornadoes
from toolkit.reporting.timelines import months_axis, series
from toolkit.reporting.wording import interval, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import polars as pl

    from toolkit.projection.result import Projection

__all__ = ["projection_figures"]


def projection_figures(projection: Projection) -> dict[str, go.Figure]:
    """Return the figures of a projection, by name; those without anything to show are left out."""
    frame = projection.frame
    units = dict(projection.assumptions.select("name", "unit").iter_rows())
    figures: dict[str, go.Figure | None] = {
        "growth": fan(frame, "dataset.images", "The dataset"),
        "storage": storage(projection),
        "bandwidth": demand_and_supply(frame),
        "bottlenecks": bottlenecks(projection.bottlenecks),
        "compute": fan(frame, _devices(frame), "GPUs for training"),
        "elapsed": fan(frame, "training.elapsed_s", "A training run"),
        "cost": fan(frame, "training.cost_usd", "Training"),
        "latency": latency(projection),
        "latency-load": latency_against_load(projection),
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
    is_whole = line.unit == "count"  # a third of a device is never bought: it is a step
    add_fan(figure, line.months, line.p10, line.p50, line.p90, name=words, unit=line.unit, color=BLUE, is_stepped=is_whole)
    months_axis(figure, line.months)
    figure.update_yaxes(title_text=words, **axis_ticks(max(line.p90), line.unit))
    figure.update_layout(showlegend=False)
    return figure
