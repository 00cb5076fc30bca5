"""The sections of the plan and its costs: what to buy and when, what else there was, how sure, owned or rented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.blocks import Block, Cell, Chart, Notes, Prose, Section, Table, text_rows
from toolkit.reporting.explanations import explained, last_month, why_of
from toolkit.reporting.explanations_plan import counted_by, purchase_id
from toolkit.reporting.figures_costs import unknown_prices
from toolkit.reporting.figures_risks import RISKS
from toolkit.reporting.known import badge
from toolkit.reporting.timelines import series
from toolkit.reporting.wording import DASH, begin, interval, list_words, plural, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["costs_section", "plan_section"]

_PLAN_ROWS: Final = 6
_CHOICE_ROWS: Final = 5
_CHOSEN_BY: Final = {
    "storage": "storage.drive_count", "training": "training.gpu_count", "inference": "inference.instance_count",
}  # fmt: skip
"""The quantity that the choices of a phase are counted by."""

_COSTS: Final = ("cost.", "training.electricity_usd", "training.cost_usd", "inference.cost_usd", "inference.million_usd")


def plan_section(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section:
    """Return what to buy or rent and when, what of it is budgeted, what else could be taken, and how likely it falls short."""
    plan = projection.plan
    blocks: list[Block] = []
    lead = "Nothing has to be bought or rented."
    if plan.frame.height:
        lead = (
            f"{plural(plan.frame.height, 'item')}, {show(plan.total_price_usd, 'usd')} and {show(plan.total_power_w, 'w')} in all"
        )
        unpriced = f", without {plural(len(plan.unpriced_items), 'item')} that nobody gave a price for"
        lead += (unpriced if plan.unpriced_items else "") + "."
        blocks += [Chart(id=f"{prefix}{name}", figure=figures[name]) for name in ("quarters", "budget") if name in figures]
        blocks.append(_plan_table(projection, prefix))
    blocks += _choices(projection, figures, prefix)
    blocks += _risks(projection, figures, prefix)
    if projection.flags:
        blocks.append(Notes(items=projection.flags, title="To watch"))
    if projection.backtest:
        blocks.append(Prose(text=projection.backtest, calm=True))
    return Section(
        id=f"{prefix}plan", title="What to buy or rent, and when", short="What to buy", lead=lead, blocks=tuple(blocks)
    )


def _plan_table(projection: Projection, prefix: str) -> Table:
    known = explained(projection)
    return Table(
        caption="The plan",
        columns=("what", "count", "by month", "unit price", "price", "power", "why", "known from"),
        rows=text_rows(
            [_plan_row(row, known, prefix, place) for place, row in enumerate(projection.plan.frame.iter_rows(named=True))]
        ),
        numeric=frozenset({1, 2, 3, 4, 5}),
        note="Counts do in as many draws as are asked for, nine in ten unless stated. A price that nobody gave is shown as "
        "'needs input', and is in no sum.",
        stacked=True,
        shown_count=_PLAN_ROWS,
    )


def _plan_row(row: Mapping[str, Any], known: frozenset[str], prefix: str, place: int) -> list[object]:
    counted = counted_by(row)
    month, order, budget = row["needed_by_month"], row["order_by_month"], row["budget_count"]
    when = DASH if month is None else "now" if month <= 0 else str(month)
    ordered = "" if order is None or order == month else f"order {'now' if order <= 0 else f'in {order}'}"
    budgeted = "" if budget is None or budget == row["count"] else f"{show(budget, 'count')} budgeted"
    return [
        Cell(text=begin(str(row["item"])), below=str(row["phase"] or ""), why=purchase_id(place, prefix)),
        Cell(text=show(row["count"], "count"), below=budgeted, why=why_of(known, counted, prefix)),
        Cell(text=when, below=ordered),
        _price(row["unit_price_usd"]),
        _price(row["price_usd"]),
        DASH if row["power_w"] is None else show(row["power_w"], "w"),
        Cell(text=str(row["reason"] or ""), quiet=True),
        badge(row["evidence"]),
    ]


def _price(value: float | None) -> str:
    return "needs input" if value is None else show(value, "usd")


def _choices(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> list[Block]:
    """Return for each phase what else could be taken and why it was not: a figure with its table, or the table alone."""
    blocks: list[Block] = [Prose(text=f"{begin(sentence)}.", calm=True) for sentence in projection.plan.cheapest]
    known = explained(projection)
    for (phase,), frame in projection.plan.alternatives.group_by("phase", maintain_order=True):
        name = f"choices-{phase}"
        rows = [
            (
                Cell(text=str(row["item"]), why=why_of(known, _CHOSEN_BY.get(str(phase), ""), prefix)),
                show(row["count"], "count"),
                _price(row["price_usd"]),
                DASH if row["power_w"] is None else show(row["power_w"], "w"),
                Cell(text=str(row["verdict"] or DASH), quiet=True),
            )
            for row in frame.iter_rows(named=True)
        ]
        table = Table(
            caption=f"What else could be taken for {phase}, and why it was not",
            columns=("what", "count", "price", "power", "verdict"),
            rows=text_rows(rows),
            numeric=frozenset({1, 2, 3}),
            note="Prices: buying for drives, a month's rent for devices. What lacks a price is neither called cheap nor dear.",
            stacked=True,
            named=True,
            folded=name in figures,
            shown_count=0 if name in figures else _CHOICE_ROWS,
        )
        if name in figures:
            blocks.append(Chart(id=f"{prefix}{name}", figure=figures[name]))
        blocks.append(table)
    return blocks


def _risks(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> list[Block]:
    if "risks" in figures:
        return [Chart(id=f"{prefix}risks", figure=figures["risks"])]
    known = [words for name, words in RISKS.items() if series(projection.frame, name) is not None]
    if not known:
        return []
    return [Prose(text=f"In none of the draws: {list_words(known)}.", calm=True)]


def costs_section(projection: Projection, figures: Mapping[str, go.Figure], prefix: str) -> Section | None:
    """Return what it costs month by month, owned or rented; None where the projection names no cost."""
    frame = projection.frame.filter(pl.any_horizontal(pl.col("quantity").str.starts_with(start) for start in _COSTS))
    if frame.is_empty():
        return None
    month, known = last_month(projection), explained(projection)
    rows = []
    for (quantity,), lines in frame.group_by("quantity", maintain_order=True):
        ends = {row["month"]: row for row in lines.iter_rows(named=True)}
        cells = [_cost(ends.get(when)) for when in (0, month)]
        rows.append(
            [
                Cell(text=begin(quantity_words(str(quantity))), why=why_of(known, str(quantity), prefix)),
                *cells,
                _spread(ends.get(month)),
            ]
        )
    columns = ("what", "month 0", f"month {month}", f"p10 to p90, month {month}")
    table = Table(caption="Every cost, medians", columns=columns, rows=text_rows(rows), numeric=frozenset({1, 2, 3}), folded=True)
    names = [name for name in ("cost-by-month", "cost-so-far") if name in figures]
    blocks: list[Block] = [Chart(id=f"{prefix}{name}", figure=figures[name]) for name in names]
    if not names:
        blocks = [Prose(text="No cost is known: each needs a price from you.", calm=True)]
    lead = "What owning is made of, what renting takes in its place, and which is the cheaper in the end."
    missing = unknown_prices(projection)
    if missing:
        lead += f" Needs your input: {list_words(missing)}."
    return Section(id=f"{prefix}costs", title="What it costs, owned or rented", short="Costs", lead=lead, blocks=(*blocks, table))


def _cost(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return DASH
    return "needs input" if row["p50"] is None else show(row["p50"], row["unit"])


def _spread(row: Mapping[str, Any] | None) -> str:
    return DASH if row is None or row["p50"] is None else interval(row["p10"], row["p90"], row["unit"])
