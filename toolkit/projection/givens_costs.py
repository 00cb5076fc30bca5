"""What goes into costs and into splitting a model over devices: prices, lives of machines, tiers, shapes of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.errors import ScenarioError
from toolkit.projection.hardware_facts import cards, figure, media, models, switches, tiers

if TYPE_CHECKING:
    from toolkit.projection.givens import Givens
    from toolkit.projection.scenario import Scenario

__all__ = ["gather_costs"]


def gather_costs(givens: Givens, scenario: Scenario) -> None:
    """Add prices and what belongs to them; a price that is not known is added as unknown.

    Raises
    ------
    ScenarioError
        If a model is to be split whose shape is not known.
    """
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
    if scenario.training is not None and scenario.training.tensor_count * scenario.training.pipeline_count > 1:
        _split(givens, scenario)


def _links(givens: Givens, scenario: Scenario) -> None:
    """Add prices of network cards and switches: stated, of the hardware facts, with the node (cards), or unknown (switches)."""
    prices, network = scenario.prices, scenario.network
    card = None if network.nic is None else cards()[network.nic]
    switch = None if network.switch is None else switches()[network.switch]
    for name, stated, fact, otherwise in (
        ("nic", prices.nic, card, (0.0, "in the price of a node, unless prices.nic is stated")),
        ("switch", prices.switch, switch, (float("nan"), "needs input: prices.switch")),
    ):
        known = None if fact is None else figure(fact, "price")
        if stated is not None:
            givens.state(f"price.{name}_usd", "usd", stated)
        elif known is not None and fact is not None:
            givens.add(f"price.{name}_usd", "usd", known, f"{fact.title}: {fact.price_source}", "assumed")
        else:
            givens.add(f"price.{name}_usd", "usd", *otherwise, "assumed")


def _split(givens: Givens, scenario: Scenario) -> None:
    trained = scenario.training
    if trained is None:
        return
    model = models()[trained.model]
    key = "tensor_count" if trained.tensor_count > 1 else "pipeline_count"
    for name in ("layer_count", "width_count", "token_count"):
        value = getattr(model, name)
        if value is None:
            raise ScenarioError(
                f"'training.{key}': {model.title} has no '{name}' among its facts, so it cannot be split; "
                "add an entry of your own with tonnage hardware add, or leave the key out"
            )
        givens.add(f"model.{name}", "count", value, *model.origin(name))
    givens.state("training.tensor_count", "count", trained.tensor_count)
    givens.state("training.pipeline_count", "count", trained.pipeline_count)
    givens.state("training.micro_batch_count", "count", trained.micro_batch_count)
    if trained.pipeline_count > (model.layer_count or 1):
        raise ScenarioError(
            f"'training.pipeline_count' ('{trained.pipeline_count}'): {model.title} has {model.layer_count} layers to split"
        )
