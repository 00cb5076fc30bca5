"""What goes into costs: prices, lives of machines, tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.projection.hardware_facts import figure, media, tiers

if TYPE_CHECKING:
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Scenario

__all__ = ["gather_costs"]


def gather_costs(givens: Givens, scenario: Scenario) -> None:
    """Add prices and what belongs to them; a price that is not known is added as unknown."""
    prices, storage = scenario.prices, scenario.storage
    medium = media()[storage.medium]
    unknown, known = float("nan"), figure(medium, "price")
    price = unknown if known is None else known
    givens.add("price.drive_usd", "usd", price, f"{medium.title}: {medium.price_source or 'needs input'}", "assumed")
    givens.add(
        "price.node_usd", "usd", unknown if prices.node is None else prices.node, "stated in the scenario: prices.node", "assumed"
    )
    givens.state("price.interest_share", "share", prices.interest)
    givens.state("price.life_s", "s", prices.life)
    givens.state("price.support_share", "share", prices.support)
    for role, name in (("shared", storage.shared_tier), ("archive", storage.archive_tier)):
        if name is not None:
            tier = tiers()[name]
            givens.add(f"price.{role}_tier_usd_per_byte_s", "usd_per_byte_s", tier.stored, *tier.origin("stored"))
