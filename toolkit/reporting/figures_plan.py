"""Figures of the plan: what is bought in each quarter, what it costs, and what of it is budgeted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import axis_ticks, finish_rows, row_label
from toolkit.reporting.design import BLUE, SEQUENCE, SKY, new_figure, stack_line
from toolkit.reporting.wording import plain, plural
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["budget_and_purchase", "plan_by_quarter"]

_QUARTER_MONTHS: Final = 3
_ITEMS: Final = 10


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
            marker={"color": next(shades), "line": stack_line()}, hoverinfo="text",
            hovertext=[f"{words}, {_words(q)}: {counts[q]:,.0f} for {show(prices[q], 'usd')}" for q in names],
        )  # fmt: skip
    figure.update_xaxes(title_text="quarter from now", type="category")
    figure.update_yaxes(title_text="price (US dollars)", **axis_ticks(max(sums.values()), "usd"))
    figure.update_layout(barmode="stack", showlegend=True)
    return figure


def budget_and_purchase(frame: pl.DataFrame) -> go.Figure | None:
    """Return for each item what is budgeted, at the median, beside what is bought, at the 90th percentile; None without prices.

    Parameters
    ----------
    frame : pl.DataFrame
        A plan: item, count, price_usd, budget_count, budget_usd.
    """
    known = frame.filter(pl.col("price_usd").is_finite() & pl.col("budget_usd").is_finite())
    sums = known.group_by("item", maintain_order=True).agg(pl.col("count", "price_usd", "budget_count", "budget_usd").sum())
    items = sums.sort("price_usd", "item", descending=[True, False])
    if items.is_empty() or not items["price_usd"].sum():
        return None
    bought, budgeted = float(items["price_usd"].sum()), float(items["budget_usd"].sum())
    more = f"{show(bought, 'usd')} bought: {show(bought - budgeted, 'usd')} against running out"
    finding = f"{show(budgeted, 'usd')} is budgeted, and {'as much is bought' if bought <= budgeted else more}"
    about = "Budgeted is the median of the draws; bought is what does in nine of ten."
    missing = frame["item"].n_unique() - items.height
    if missing:
        about += f" {plural(missing, 'item')} without a price {'is' if missing == 1 else 'are'} in no bar."
    shown = list(items.head(_ITEMS).iter_rows(named=True))
    if len(shown) < items.height:
        about += f" The {len(shown)} dearest of {items.height} are drawn."
    figure = new_figure(finding, about=about)
    for name, color, prices, counts, offset in (
        ("budgeted (median)", SKY, "budget_usd", "budget_count", -0.2),
        ("bought (90th percentile)", BLUE, "price_usd", "count", 0.0),
    ):
        figure.add_bar(
            x=[row[prices] for row in shown], y=list(range(len(shown))), orientation="h", width=0.19, offset=offset, name=name,
            marker={"color": color}, hoverinfo="text",
            hovertext=[f"{plain(row['item'], 60)}: {row[counts]:,.0f} for {show(row[prices], 'usd')}" for row in shown],
        )  # fmt: skip
    for place, row in enumerate(shown):
        note = f"{row['budget_count']:,.0f} budgeted · {row['count']:,.0f} bought"
        row_label(figure, place, plain(row["item"]), note, above_px=24)
    figure.update_xaxes(title_text="price (US dollars)", **axis_ticks(max(row["price_usd"] for row in shown), "usd"))
    finish_rows(figure, len(shown), pitch_px=68)
    figure.update_layout(barmode="group", showlegend=True, height=figure.layout.height + 24)
    return figure


def _sum(frame: pl.DataFrame, quarter: int, column: str) -> float:
    return float(frame.filter(pl.col("quarter") == quarter)[column].sum())


def _label(quarter: int) -> str:
    return "now" if quarter == 0 else f"Q{quarter}"


def _words(quarter: int) -> str:
    return "now" if quarter == 0 else f"in quarter {quarter}"
