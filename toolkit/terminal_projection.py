"""What the command line draws of a projection: the answer, headline numbers in words, purchases, what limits; or the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from toolkit.reporting.headlines import headline_months, headlines, purchases
from toolkit.reporting.wording import plural, shorten, visible
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from rich.console import Console

    from toolkit.projection.result import Projection

__all__ = ["draw_projection", "draw_whole_projection"]

_SUMMARY_LINES: Final = 6
_SENTENCE_LINES: Final = 2
_ITEMS: Final = 10
_ITEM_LETTERS: Final = 36
_FLAGS: Final = 2


def draw_projection(screen: Console, projection: Projection) -> None:
    """Print one screen: the answer first, then the numbers and purchases behind it, and what to be wary of."""
    plan = projection.plan
    screen.print(_line(projection.name, screen.width, style="bold"))
    screen.print(_clipped(plan.summary, screen.width, _SUMMARY_LINES))
    for sentence in (plan.bottleneck, plan.next_bottleneck, plan.edge_fit):
        if sentence:
            screen.print(_clipped(sentence, screen.width, _SENTENCE_LINES))
    screen.print(_headline_table(projection))
    if not plan.frame.is_empty():
        screen.print(_item_table(plan.frame))
        if plan.unpriced_items:
            screen.print(Text("what has no price needs your input, and is in no sum", style="dim"))
    if projection.backtest:
        screen.print(_clipped(projection.backtest, screen.width, _SENTENCE_LINES))
    for flag in projection.flags[:_FLAGS]:
        screen.print(_line(f"! {flag}", screen.width, style="yellow"))
    if len(projection.flags) > _FLAGS:
        screen.print(Text(f"! and {plural(len(projection.flags) - _FLAGS, 'more warning')}", style="yellow"))
    screen.print(Text("everything: --all; why a number is what it is: tonnage project ... --explain QUANTITY", style="dim"))


def _line(text: str, width: int, style: str = "") -> Text:
    return Text(shorten(visible(" ".join(text.split())), width), style=style, no_wrap=True, overflow="ellipsis")


def _clipped(text: str, width: int, lines: int) -> Text:
    """Return a text that takes at most so many lines: words break early, so that a tenth of the room is left to them."""
    shown, most = visible(" ".join(text.split())), int(width * lines * 0.9)
    return Text(shown if len(shown) <= most else f"{shown[: most - 1]}…")


def _headline_table(projection: Projection) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    for month in headline_months(projection):
        table.add_column("now" if month == 0 else f"month {month}", justify="right", no_wrap=True)
    table.add_column("p10 to p90", style="dim", no_wrap=True)
    for headline in headlines(projection):
        table.add_row(headline.words, *headline.shown, headline.spread)
    return table


def _item_table(frame: pl.DataFrame) -> Table:
    found, rest_count = purchases(frame, _ITEMS)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("the plan", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=_ITEM_LETTERS)
    for column in ("count", "price", "power", "needed"):
        table.add_column(column, justify="right", no_wrap=True)
    for bought in found:
        item = Text(shorten(visible(" ".join(bought.item.split())), _ITEM_LETTERS))
        table.add_row(bought.phase, item, bought.shown_count, bought.shown_price, bought.shown_power, bought.when)
    if rest_count:
        table.add_row("", f"and {plural(rest_count, 'more item')}")
    return table


def draw_whole_projection(screen: Console, projection: Projection) -> None:
    """Print the answer, every order, every alternative that was cheaper, and every quantity under its dotted name."""
    plan = projection.plan
    screen.print(Text(projection.name, style="bold"))
    for sentence in (
        projection.plan.summary,
        projection.plan.bottleneck,
        projection.plan.next_bottleneck,
        projection.plan.edge_fit,
    ):
        if sentence:
            screen.print(Text(sentence))
    screen.print(_order_table(projection))
    for row in plan.alternatives.iter_rows(named=True):
        if row["verdict"].startswith("chosen, but"):
            screen.print(Text(f"{row['phase']}: {row['count']:,.0f} x {row['item']} is {row['verdict']}", style="dim"))
    for sentence in plan.cheapest:
        screen.print(Text(sentence, style="dim"))
    screen.print(_quantity_table(projection))
    if projection.backtest:
        screen.print(Text(projection.backtest))
    for flag in projection.flags:
        screen.print(Text(f"! {flag}", style="yellow"))


def _order_table(projection: Projection) -> Table:
    table = Table(title="The plan", title_justify="left", title_style="bold")
    for column in ("phase", "item"):
        table.add_column(column)
    for column in ("count", "budgeted", "price", "power", "order by", "by month"):
        table.add_column(column, justify="right")
    table.add_column("why")
    for row in projection.plan.frame.iter_rows(named=True):
        price = "needs input" if row["price_usd"] is None else show(row["price_usd"], "usd")
        power = "needs input" if row["power_w"] is None else show(row["power_w"], "w")
        count = f"{row['count']:,.0f}"
        budgeted = "" if row["budget_count"] is None else f"{row['budget_count']:,.0f}"
        order = "" if row["order_by_month"] is None else f"{row['order_by_month']}"
        cells = (count, budgeted, price, power, order, f"{row['needed_by_month']}")
        table.add_row(row["phase"], Text(row["item"]), *cells, Text(row["reason"]))
    return table


def _quantity_table(projection: Projection) -> Table:
    first, last = projection.months[0], projection.months[-1]
    table = Table(title="What it takes", title_justify="left", title_style="bold")
    table.add_column("quantity")
    for month in (first, last):
        table.add_column(f"month {month}: p50", justify="right")
        table.add_column("p10 to p90", justify="right", style="dim")
    table.add_column("evidence", style="dim")
    for (quantity,), rows in projection.frame.group_by("quantity", maintain_order=True):
        by_month = {row["month"]: row for row in rows.iter_rows(named=True)}
        cells = []
        for month in (first, last):
            row = by_month.get(month)
            unit = rows["unit"][0]
            cells += ["", ""] if row is None else _ends(row, unit)
        table.add_row(str(quantity), *cells, rows["evidence"][0])
    return table


def _ends(row: Mapping[str, Any], unit: str) -> list[str]:
    """Return a median and its interval; what rests on a price or a rate that nobody gave needs input."""
    if row["p50"] is None:
        return ["needs input", ""]
    low, middle, high = (show(row[name], unit) for name in ("p10", "p50", "p90"))
    return [middle, "" if low == middle == high else f"{low} to {high}"]
