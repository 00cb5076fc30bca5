"""What goes into costs and into splitting a model over devices: prices, lives of machines, tiers, shapes of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.errors import ScenarioError
from toolkit.projection.hardware_facts import figure, media, models, tiers

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
    if scenario.training is not None and scenario.training.tensor_count * scenario.training.pipeline_count > 1:
        _split(givens, scenario)


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
