"""What goes into costs: prices, lives of machines, tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.projection.hardware_facts import cards, figure, media, racks, switches, tiers

if TYPE_CHECKING:
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Scenario

__all__ = ["gather_costs"]

_USUAL_SWITCH: Final = "qm9700_64x400g"
"""Switch whose power is taken where none is stated: as many ports, at as high a rate, as the default has."""


def gather_costs(givens: Givens, scenario: Scenario) -> None:
    """Add prices and what belongs to them; a price that is not known is added as unknown."""
    prices, storage = scenario.prices, scenario.storage
    medium = media()[storage.medium]
    unknown, known = float("nan"), figure(medium, "price")
    price = unknown if known is None else known
    givens.add("price.drive_usd", "usd", price, f"{medium.title}: {medium.price_source or 'needs input'}", "assumed")
    node, source = (unknown, "needs input: prices.node") if prices.node is None else (prices.node, "stated: prices.node")
    givens.add("price.node_usd", "usd", node, source, "assumed")
    givens.state("price.interest_share", "share", prices.interest)
    givens.state("price.life_s", "s", prices.life)
    givens.state("price.support_share", "share", prices.support)
    for role, name in (("shared", storage.shared_tier), ("archive", storage.archive_tier)):
        if name is not None:
            tier = tiers()[name]
            part = f"price.{role}_tier"
            givens.add(f"{part}_usd_per_byte_s", "usd_per_byte_s", tier.stored, *tier.origin("stored"))
            givens.add(f"{part}_retrieval_usd_per_byte", "usd_per_byte", tier.retrieval, *tier.origin("retrieval"))
            givens.add(f"{part}_read_usd", "usd", tier.read_usd, *tier.origin("read_usd"))
            givens.add(f"{part}_write_usd", "usd", tier.write_usd, *tier.origin("write_usd"))
            leaving = figure(tier, "egress")
            source, evidence = tier.origin("egress") if leaving is not None else (f"{tier.title}: needs input", "assumed")
            givens.add(f"{part}_egress_usd_per_byte", "usd_per_byte", unknown if leaving is None else leaving, source, evidence)
    _links(givens, scenario)


def _links(givens: Givens, scenario: Scenario) -> None:
    """Add prices of cards, switches and racks: stated, of the hardware facts, with the node (cards), or unknown (switches)."""
    prices, network = scenario.prices, scenario.network
    card = None if network.nic is None else cards()[network.nic]
    switch = None if network.switch is None else switches()[network.switch]
    rack = racks()[scenario.site.rack]
    usual = switches()[_USUAL_SWITCH]
    power_w = None if switch is None else figure(switch, "power")
    if switch is not None and power_w is not None:
        givens.add("network.switch_w", "w", power_w, *switch.origin("power"))
    else:
        source = f"as that of {usual.origin('power')[0]}; network.switch states none"
        givens.add("network.switch_w", "w", figure(usual, "power") or 0.0, source, "assumed")
    givens.add("site.rack_w", "w", float(rack.power), *rack.origin("power"))
    givens.state("site.rack_limit_w", "w", scenario.site.rack_power)
    for name, stated, fact, otherwise in (
        ("nic", prices.nic, card, (0.0, "in the price of a node, unless prices.nic is stated")),
        ("switch", prices.switch, switch, (float("nan"), "needs input: prices.switch")),
        ("rack", prices.rack, rack, (float("nan"), "needs input: prices.rack")),
    ):
        known = None if fact is None else figure(fact, "price")
        if stated is not None:
            givens.state(f"price.{name}_usd", "usd", stated)
        elif known is not None and fact is not None:
            givens.add(f"price.{name}_usd", "usd", known, f"{fact.title}: {fact.price_source}", "assumed")
        else:
            givens.add(f"price.{name}_usd", "usd", *otherwise, "assumed")
