"""The numbers and purchases of a projection that fit on one screen: what terminals and notebooks show of it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.wording import begin, interval, quantity_words
from toolkit.units import show

if TYPE_CHECKING:
    import polars as pl

    from toolkit.projection.result import Projection

__all__ = ["Headline", "Purchase", "headline_months", "headlines", "purchases"]

_QUANTITIES: Final = (
    "dataset.images", "storage.capacity_bytes", "storage.drive_count", "bandwidth.storage_demand_bytes_per_s",
    "bandwidth.storage_supply_bytes_per_s", "training.gpu_count", "training.elapsed_s", "training.cost_usd", "network.transfer_s",
    "inference.instance_count", "inference.latency_p99_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A quantity in words, with its medians in the first and the last month."""

    words: str
    """What it is."""
    shown: tuple[str, ...]
    """Its median in each of ``headline_months``, with its unit; empty where there is none."""
    spread: str
    """Its p10 to p90 in the last month; empty where both are the median."""
    evidence: str
    """The weakest evidence that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """An item of the plan over all its orders, in words."""

    phase: str
    """What it is for."""
    item: str
    """What is bought."""
    shown_count: str
    """How many."""
    shown_price: str
    """Price of all of them, or that it needs the user's input."""
    shown_power: str
    """Power of all of them, or the same."""
    when: str
    """From which month to which."""


def headline_months(projection: Projection) -> tuple[int, ...]:
    """Return the first and the last month; one where there is but one."""
    return tuple(dict.fromkeys((projection.months[0], projection.months[-1]))) if projection.months else ()


def headlines(projection: Projection) -> tuple[Headline, ...]:
    """Return what a projection says of the few quantities that everybody asks for."""
    months = headline_months(projection)
    rows = {(row["quantity"], row["month"]): row for row in projection.frame.iter_rows(named=True) if row["p50"] is not None}
    found = []
    for quantity in _QUANTITIES:
        by_month = [rows.get((quantity, month)) for month in months]
        said = [row for row in by_month if row is not None]
        if said:
            shown = tuple("" if row is None else show(row["p50"], row["unit"]) for row in by_month)
            words = begin(quantity_words(quantity))
            found.append(Headline(words=words, shown=shown, spread=_spread(by_month[-1]), evidence=said[-1]["evidence"]))
    return tuple(found)


def _spread(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    spread = interval(row["p10"], row["p90"], row["unit"])
    return "" if spread == show(row["p50"], row["unit"]) else spread


def purchases(frame: pl.DataFrame, most: int) -> tuple[tuple[Purchase, ...], int]:
    """Return what a plan buys, an item once over all its orders, and how many of the cheapest are left out beyond ``most``."""
    import polars as pl  # not before a plan is shown: notebooks import this module with the package

    items = frame.group_by("phase", "item", maintain_order=True).agg(
        pl.col("count").sum(), pl.col("price_usd").sum(), pl.col("power_w").sum(), pl.col("needed_by_month").min().alias("first"),
        pl.col("needed_by_month").max().alias("last"), pl.col("price_usd").null_count().alias("unpriced"),
        pl.col("power_w").null_count().alias("unpowered"),
    )  # fmt: skip
    shown = items if len(items) <= most else items.sort("price_usd", descending=True, maintain_order=True).head(most - 1)
    found = [
        Purchase(
            phase=row["phase"], item=row["item"], shown_count=f"{row['count']:,.0f}",
            shown_price="needs input" if row["unpriced"] else show(row["price_usd"], "usd"),
            shown_power="needs input" if row["unpowered"] else show(row["power_w"], "w"), when=_when(row["first"], row["last"]),
        )
        for row in shown.iter_rows(named=True)
    ]  # fmt: skip
    return tuple(found), len(items) - len(shown)


def _when(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return ""
    start = "now" if first == 0 else f"month {first}"
    return start if first == last else f"{start} to month {last}"
