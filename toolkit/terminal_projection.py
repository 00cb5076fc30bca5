"""What the command line draws of a projection: the answer, headline numbers in words, purchases, what limits; or the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from rich.table import Table
from rich.text import Text

from toolkit.reporting.wording import begin, interval, plural, quantity_words, shorten, visible
from toolkit.units import show

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.projection.result import Projection

__all__ = ["draw_projection", "draw_whole_projection"]

_HEADLINES: Final = (
    "dataset.images", "storage.capacity_bytes", "storage.drive_count", "bandwidth.storage_demand_bytes_per_s",
    "bandwidth.storage_supply_bytes_per_s", "training.gpu_count", "training.elapsed_s", "training.cost_usd", "network.transfer_s",
    "inference.instance_count", "inference.latency_p99_s",
)  # fmt: skip
_SUMMARY_LINES: Final = 6
_SENTENCE_LINES: Final = 2
_ITEMS: Final = 10
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
    first, last = projection.months[0], projection.months[-1]
    rows = {(row["quantity"], row["month"]): row for row in projection.frame.iter_rows(named=True) if row["p50"] is not None}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    months = list(dict.fromkeys((first, last)))
    for month in months:
        table.add_column("now" if month == 0 else f"month {month}", justify="right", no_wrap=True)
    table.add_column("p10 to p90", style="dim", no_wrap=True)
    for quantity in _HEADLINES:
        found = [rows.get((quantity, month)) for month in months]
        if any(row is not None for row in found):
            values = ["" if row is None else show(row["p50"], row["unit"]) for row in found]
            table.add_row(begin(quantity_words(quantity)), *values, _spread(found[-1]))
    return table


def _spread(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    spread = interval(row["p10"], row["p90"], row["unit"])
    return "" if spread == show(row["p50"], row["unit"]) else spread


def _item_table(frame: pl.DataFrame) -> Table:
    """Return what is bought, an item a line, over all its orders; the dearest first where there are many."""
    items = frame.group_by("phase", "item", maintain_order=True).agg(
        pl.col("count").sum(), pl.col("price_usd").sum(), pl.col("power_w").sum(), pl.col("needed_by_month").min().alias("first"),
        pl.col("needed_by_month").max().alias("last"), pl.col("price_usd").null_count().alias("unpriced"),
        pl.col("power_w").null_count().alias("unpowered"),
    )  # fmt: skip
    shown = items if len(items) <= _ITEMS else items.sort("price_usd", descending=True).head(_ITEMS - 1)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("the plan", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=36)
    for column in ("count", "price", "power", "needed"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in shown.iter_rows(named=True):
        price = "needs input" if row["unpriced"] else show(row["price_usd"], "usd")
        power = "needs input" if row["unpowered"] else show(row["power_w"], "w")
        item = Text(shorten(visible(" ".join(row["item"].split())), 36))
        table.add_row(row["phase"], item, f"{row['count']:,.0f}", price, power, _when(row["first"], row["last"]))
    if len(items) > len(shown):
        table.add_row("", f"and {plural(len(items) - len(shown), 'more item')}")
    return table


def _when(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return ""
    start = "now" if first == 0 else f"month {first}"
    return start if first == last else f"{start} to month {last}"


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


def _ends(row: dict[str, Any], unit: str) -> list[str]:
    """Return a median and its interval; what rests on a price or a rate that nobody gave needs input."""
    if row["p50"] is None:
        return ["needs input", ""]
    low, middle, high = (show(row[name], unit) for name in ("p10", "p50", "p90"))
    return [middle, "" if low == middle == high else f"{low} to {high}"]
