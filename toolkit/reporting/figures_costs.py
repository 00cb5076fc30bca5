"""Figures of cost over the months: what owning is made of, what renting takes in its place, and which is cheaper in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.reporting.charts import add_fan, axis_ticks
from toolkit.reporting.design import BLUE, GRAY, GREEN, INK, MUTED, ORANGE, PINK, SKY, VERMILLION, new_figure, stack_line
from toolkit.reporting.timelines import Series, months_axis, series
from toolkit.reporting.wording import list_words, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from toolkit.projection.result import Projection

__all__ = ["cost_by_month", "cost_so_far", "unknown_prices"]

_OWNED: Final = {
    "cost.monthly_capital_usd": BLUE,
    "cost.support_usd": SKY,
    "training.electricity_usd": ORANGE,
    "cost.shared_tier_usd": GREEN,
    "cost.archive_tier_usd": PINK,
    "cost.egress_usd": GRAY,
}
"""What owning costs each month is the sum of these; the tiers are storage that is rented all the same."""

_RENTED: Final = {
    "training.cost_usd": ("devices rented by the hour", VERMILLION, "dash"),
    "cost.held_usd": ("devices rented all month", INK, "dot"),
    "inference.cost_usd": ("inference, rented all month", MUTED, "dashdot"),
}
_PRICES: Final = ("price.node_usd", "price.drive_usd", "price.electricity_usd_per_j", "price.device_usd_per_s",
                  "price.switch_usd")  # fmt: skip


def unknown_prices(projection: Projection) -> list[str]:
    """Return the words of each price that the scenario did not give, without which a cost is unknown."""
    rows = projection.assumptions.filter(pl.col("name").is_in(_PRICES) & ~pl.col("value").is_finite().fill_null(value=False))
    nodes = series(projection.frame, "training.node_count")
    is_connected = nodes is not None and max(nodes.p90) > 1  # one node needs no switch
    return [quantity_words(name) for name in rows["name"].to_list() if name != "price.switch_usd" or is_connected]


def cost_by_month(projection: Projection) -> go.Figure | None:
    """Return what owning costs each month, stacked by kind, with lines for renting; what has no price is named, not drawn."""
    frame = projection.frame
    parts = {name: line for name in _OWNED if (line := _drawn(frame, name)) is not None}
    lines = {name: line for name in _RENTED if (line := _drawn(frame, name)) is not None}
    if (not lines and not parts) or len(projection.months) < 2:
        return None
    whole = series(frame, "cost.owned_usd")
    is_alone = whole is None and len(parts) == 1  # a block of one colour would look like all that owning costs
    about = "Areas are medians of what owning costs, drives included; lines are the rent of devices alone."
    if is_alone:
        about = "Lines are medians, the band p10 to p90."
    missing = unknown_prices(projection)
    if whole is None and missing:
        about += f" Not drawn, since it needs your input: {list_words(missing)}."
    figure = new_figure(_month_finding(whole, lines, parts), height=390, about=about)
    for name, line in parts.items():
        words = quantity_words(name)
        if is_alone:
            add_fan(figure, line.months, line.p10, line.p50, line.p90, name=words, unit="usd", color=_OWNED[name])
            continue
        figure.add_scatter(
            x=line.months, y=line.p50, stackgroup="owned", name=words, mode="lines", line=stack_line(),
            fillcolor=_OWNED[name], customdata=[show(v, "usd") for v in line.p50],
            hovertemplate=f"{words}, month %{{x}}: %{{customdata}}<extra></extra>",
        )  # fmt: skip
    for name, line in lines.items():
        words, color, dash = _RENTED[name]
        figure.add_scatter(
            x=line.months, y=line.p50, name=words, mode="lines", line={"color": color, "width": 2.5, "dash": dash},
            customdata=[show(v, "usd") for v in line.p50], hovertemplate=f"{words}, month %{{x}}: %{{customdata}}<extra></extra>",
        )  # fmt: skip
    highs = [value for line in parts.values() for value in line.p90] if is_alone else []
    stacked = [sum(values) for values in zip(*(line.p50 for line in parts.values()), strict=True)]
    top = max([*highs, *stacked, *(value for line in lines.values() for value in line.p50)])
    months_axis(figure, [month for line in (*parts.values(), *lines.values()) for month in line.months])
    figure.update_yaxes(title_text="cost a month (US dollars)", **axis_ticks(top, "usd"))
    figure.update_layout(showlegend=True, legend={"traceorder": "normal"})
    return figure


def _drawn(frame: pl.DataFrame, quantity: str) -> Series | None:
    line = series(frame, quantity)
    return line if line is not None and max(line.p50) > 0 else None


def _month_finding(whole: Series | None, lines: dict[str, Series], parts: dict[str, Series]) -> str:
    rented = next(iter(lines.items()), None)
    rent = "" if rented is None else f"{_RENTED[rented[0]][0]} cost {show(rented[1].p50[-1], 'usd')}"
    if whole is not None:
        owned = f"In month {whole.months[-1]} owning costs {show(whole.p50[-1], 'usd')} a month"
        return f"{owned}; {rent}" if rent else owned
    month = next(iter((lines or parts).values())).months[-1]
    if rent:
        return f"In month {month} {rent} a month; what owning costs lacks a price"
    known = show(sum(line.p50[-1] for line in parts.values()), "usd")
    return f"Of what owning costs only {list_words([*map(quantity_words, parts)])} is known: {known} a month in month {month}"


def cost_so_far(projection: Projection) -> go.Figure | None:
    """Return what owning and renting have cost since now, and from which month on which is the cheaper."""
    lines = {
        "owning": series(projection.frame, "cost.owned_so_far_usd"),
        "renting by the hour": series(projection.frame, "cost.rented_so_far_usd"),
    }
    known = {name: line for name, line in lines.items() if line is not None and max(line.p50) > 0}
    if not known or len(projection.months) < 2:
        return None
    about = "Cost since now; lines are medians, bands p10 to p90."
    missing = unknown_prices(projection)
    if len(known) < len(lines) and missing:
        about += f" The other is not drawn, since it needs your input: {list_words(missing)}."
    figure = new_figure(_so_far_finding(known), height=350, about=about)
    for (name, line), (color, dash) in zip(known.items(), ((BLUE, "solid"), (VERMILLION, "dash")), strict=False):
        add_fan(figure, line.months, line.p10, line.p50, line.p90, name=name, unit=line.unit, color=color, dash=dash)
    months_axis(figure, [month for line in known.values() for month in line.months])
    figure.update_yaxes(title_text="cost so far (US dollars)", **axis_ticks(max(max(line.p90) for line in known.values()), "usd"))
    return figure


def _so_far_finding(known: dict[str, Series]) -> str:
    name, line = next(iter(known.items()))
    last = line.months[-1]
    if len(known) == 1:
        return f"Until month {last} {name} costs {show(line.p50[-1], 'usd')}"
    (one, mine), (other, theirs) = known.items()
    is_less = [a < b for a, b in zip(mine.p50, theirs.p50, strict=False)]
    cheaper, dearer = ((one, mine), (other, theirs)) if is_less[-1] else ((other, theirs), (one, mine))
    turned = next((i + 1 for i in reversed(range(len(is_less) - 1)) if is_less[i] != is_less[-1]), None)
    since = "throughout" if turned is None else f"from month {mine.months[turned]} on"
    amounts = f"{show(cheaper[1].p50[-1], 'usd')} against {show(dearer[1].p50[-1], 'usd')} by month {last}"
    return f"{cheaper[0].capitalize()} is the cheaper {since}: {amounts}"
