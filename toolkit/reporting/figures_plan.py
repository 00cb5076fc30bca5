"""Figures of the plan: what is bought in each quarter, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import axis_ticks
from toolkit.reporting.design import SEQUENCE, new_figure
from toolkit.reporting.wording import plain, plural
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["plan_by_quarter"]

_QUARTER_MONTHS: Final = 3


def plan_by_quarter(frame: pl.DataFrame) -> go.Figure | None:
    """Return the price of what each quarter needs, stacked by item, with what has no price named; None for a single quarter.

    Parameters
    ----------
    frame : pl.DataFrame
        A plan: item, count, price_usd, needed_by_month.
    """
    dated = frame.filter(pl.col("needed_by_month").is_not_null()).with_columns(
        quarter=(pl.col("needed_by_month").clip(0) + _QUARTER_MONTHS - 1) // _QUARTER_MONTHS
    )
    quarters = sorted(dated["quarter"].unique().to_list())
    priced = dated.filter(pl.col("price_usd").is_not_null())
    if len(quarters) < 2 or priced.is_empty():
        return None
    total, missing = float(priced["price_usd"].sum()), dated.height - priced.height
    names = list(range(max(quarters) + 1))
    sums = {q: _sum(priced, q, "price_usd") for q in names}
    dearest = max(names, key=lambda q: sums[q])
    finding = (
        f"{show(total, 'usd')} over {plural(len(names), 'quarter')}, the most {_words(dearest)}: {show(sums[dearest], 'usd')}"
    )
    about = "Bars are prices of what a quarter needs first."
    if missing:
        about += f" {plural(missing, 'line')} of the plan without a price {'is' if missing == 1 else 'are'} in no bar."
    figure = new_figure(finding, height=330, about=about)
    shades = iter(SEQUENCE * priced.height)
    for item in priced["item"].unique(maintain_order=True).to_list():
        of_item = priced.filter(pl.col("item") == item)
        prices, counts = ({q: _sum(of_item, q, name) for q in names} for name in ("price_usd", "count"))
        words = plain(item, 40)
        figure.add_bar(
            x=[_label(q) for q in names], y=list(prices.values()), name=words, width=0.55,
            marker={"color": next(shades)}, hoverinfo="text",
            hovertext=[f"{words}, {_words(q)}: {counts[q]:,.0f} for {show(prices[q], 'usd')}" for q in names],
        )  # fmt: skip
    figure.update_xaxes(title_text="quarter from now", type="category")
    figure.update_yaxes(title_text="price (US dollars)", **axis_ticks(max(sums.values()), "usd"))
    figure.update_layout(barmode="stack", showlegend=True)
    return figure


def _sum(frame: pl.DataFrame, quarter: int, column: str) -> float:
    return float(frame.filter(pl.col("quarter") == quarter)[column].sum())


def _label(quarter: int) -> str:
    return "now" if quarter == 0 else f"Q{quarter}"


def _words(quarter: int) -> str:
    return "now" if quarter == 0 else f"in quarter {quarter}"
