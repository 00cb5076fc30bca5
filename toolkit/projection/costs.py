"""The wiring of costs: owning against renting, month by month and over the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection import ownership

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger

__all__ = ["derive"]


def derive(ledger: Ledger, *, is_training: bool) -> None:
    """Enter rented tiers and, where something is trained, what owning and renting its machines cost."""
    enter: Any = ledger.derive
    parts = []
    for role in ("shared", "archive"):
        if f"price.{role}_tier_usd_per_byte_s" in ledger.values:
            parts.append(f"cost.{role}_tier_usd")
            enter(parts[-1], ownership.tier_cost, stored_bytes=f"storage.{role}_tier_bytes",
                  usd_per_byte_s=f"price.{role}_tier_usd_per_byte_s", month_s="month_s")  # fmt: skip
    if not is_training:
        return
    if not parts:
        ledger.give(
            "cost.no_tier_usd", "usd", np.zeros((1, 1)), source="no storage is rented in this scenario", evidence="stated"
        )
        parts = ["cost.no_tier_usd"]
    enter("cost.tier_usd", ownership.all_tiers, **{name.removeprefix("cost."): name for name in parts})
    enter("cost.capital_usd", ownership.capital, node_count="training.node_count", node_usd="price.node_usd",
          drive_count="storage.drive_count", drive_usd="price.drive_usd")  # fmt: skip
    enter("cost.monthly_capital_usd", ownership.monthly_capital, capital_usd="cost.capital_usd",
          interest_share="price.interest_share", life_s="price.life_s", month_s="month_s")  # fmt: skip
    enter("cost.support_usd", ownership.monthly_support, capital_usd="cost.capital_usd", support_share="price.support_share")
    enter("cost.owned_usd", ownership.all_in, capital_usd="cost.monthly_capital_usd", support_usd="cost.support_usd",
          electricity_usd="training.electricity_usd", tier_usd="cost.tier_usd")  # fmt: skip
    enter("cost.held_usd", ownership.rented_device, device_count="training.gpu_count", usd_per_s="price.device_usd_per_s",
          month_s="month_s")  # fmt: skip
    enter("cost.breakeven_share", ownership.breakeven_share, owned_usd="cost.owned_usd", held_usd="cost.held_usd")
    enter("cost.owned_so_far_usd", ownership.whole_horizon, monthly_usd="cost.owned_usd")
    enter("cost.rented_so_far_usd", ownership.whole_horizon, monthly_usd="training.cost_usd")
