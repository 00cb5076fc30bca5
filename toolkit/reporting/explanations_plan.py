"""How each purchase of a plan comes about: its count, its price and its power, and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.reporting.blocks import Detail
from toolkit.reporting.explanations import explained, why_of
from toolkit.reporting.wording import begin
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.projection.result import Projection

__all__ = ["counted_by", "purchase_details", "purchase_id"]

_COUNTED: Final = {"storage": "plan.drive_count", "inference": "plan.instance_count"}
"""The quantity that a phase's items are counted by; nodes are told by their name."""

_PRICED: Final = {"storage": "price.drive_usd", "training": "price.node_usd"}
"""The input that an item's price comes from."""


def counted_by(row: Mapping[str, Any]) -> str:
    """Return the quantity that a purchase's items are counted by; nothing where there is none."""
    return "plan.node_count" if str(row["item"]).startswith("node of ") else _COUNTED.get(str(row["phase"]), "")


def purchase_id(place: int, prefix: str = "") -> str:
    """Return the identifier of a purchase's explanation."""
    return f"{prefix}why-purchase-{place}"


def purchase_details(projection: Projection, prefix: str = "") -> tuple[Detail, ...]:
    """Return how each purchase comes about."""
    known = explained(projection)
    return tuple(_detail(row, known, prefix, place) for place, row in enumerate(projection.plan.frame.iter_rows(named=True)))


def _detail(row: Mapping[str, Any], known: frozenset[str], prefix: str, place: int) -> Detail:
    price = "needs input" if row["price_usd"] is None else show(row["price_usd"], "usd")
    month = row["needed_by_month"]
    parts = [Detail(id="", title="count", value=show(row["count"], "count"), why=why_of(known, counted_by(row), prefix))]
    unit = "needs input" if row["unit_price_usd"] is None else show(row["unit_price_usd"], "usd")
    priced = _PRICED.get(str(row["phase"]), "")
    parts.append(Detail(id="", title="price of one", value=unit, why=why_of(known, priced, prefix)))
    if row["budget_count"] is not None:
        parts.append(Detail(id="", title="of them budgeted, at the median", value=show(row["budget_count"], "count")))
    if row["power_w"] is not None:
        parts.append(Detail(id="", title="power of all of them", value=show(row["power_w"], "w")))
    return Detail(
        id=purchase_id(place, prefix), title=begin(f"{row['item']}, {'now' if not month else f'month {month}'}"), value=price,
        formula="count x price of one; the count is what this order adds to those before it", source=str(row["reason"] or ""),
        evidence=str(row["evidence"] or ""), inputs=tuple(parts),
    )  # fmt: skip
