"""The wiring of costs: owning against renting, month by month and over the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.projection import ownership

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger

__all__ = ["derive"]

_READ: Final = {"shared": "storage.run_read_bytes", "archive": "storage.archive_read_bytes"}
"""What is read each month from storage, by the role of what is rented."""


def derive(ledger: Ledger, *, is_training: bool) -> None:
    """Enter rented tiers and, where something is trained, what owning and renting its machines cost."""
    enter: Any = ledger.derive
    egress = _tiers(ledger, is_training=is_training)
    if not is_training:
        return
    enter("cost.capital_usd", ownership.capital, node_count="training.node_count", spare_node_count="training.spare_node_count",
          node_usd="price.node_usd", drive_count="storage.drive_count", drive_usd="price.drive_usd",
          nic_count="network.nic_count", nic_usd="price.nic_usd", switch_count="network.switch_count",
          switch_usd="price.switch_usd", rack_count="site.rack_count", rack_usd="price.rack_usd")  # fmt: skip
    enter("cost.monthly_capital_usd", ownership.monthly_capital, capital_usd="cost.capital_usd",
          interest_share="price.interest_share", life_s="price.life_s", month_s="month_s")  # fmt: skip
    enter("cost.support_usd", ownership.monthly_support, capital_usd="cost.capital_usd", support_share="price.support_share")
    enter("cost.owned_usd", ownership.all_in, capital_usd="cost.monthly_capital_usd", support_usd="cost.support_usd",
          electricity_usd="training.electricity_usd", tier_usd="cost.tier_usd", egress_usd=egress)  # fmt: skip
    enter("cost.held_usd", ownership.rented_device, device_count="training.paid_count", usd_per_s="price.device_usd_per_s",
          month_s="month_s")  # fmt: skip
    enter("cost.rented_usd", ownership.all_rented, device_usd="training.cost_usd", tier_usd="cost.tier_usd")
    enter("cost.breakeven_share", ownership.breakeven_share, owned_usd="cost.owned_usd", held_usd="cost.held_usd")
    enter("cost.owned_so_far_usd", ownership.whole_horizon, monthly_usd="cost.owned_usd")
    enter("cost.rented_so_far_usd", ownership.whole_horizon, monthly_usd="cost.rented_usd")


def _tiers(ledger: Ledger, *, is_training: bool) -> str:
    """Enter what rented storage costs: keeping, requests, reading back; return the name of what egress costs."""
    enter: Any = ledger.derive
    roles = [role for role in ("shared", "archive") if f"price.{role}_tier_usd_per_byte_s" in ledger.values]
    if not roles:
        for name in ("cost.no_tier_usd", "cost.no_egress_usd"):
            source = "no storage is rented in this scenario"
            ledger.give(name, "usd", np.zeros((1, 1)), source=source, evidence="published")
        if is_training:
            enter("cost.tier_usd", ownership.all_tiers, no_tier_usd="cost.no_tier_usd")
        return "cost.no_egress_usd"
    _use(ledger, is_training=is_training)
    for role in roles:
        price = f"price.{role}_tier"
        enter(f"cost.{role}_tier_stored_usd", ownership.tier_cost, stored_bytes=f"storage.{role}_tier_bytes",
              usd_per_byte_s=f"{price}_usd_per_byte_s", month_s="month_s")  # fmt: skip
        enter(f"cost.{role}_tier_use_usd", ownership.tier_use, read_bytes=_READ[role],
              retrieval_usd_per_byte=f"{price}_retrieval_usd_per_byte", chunk_bytes="storage.chunk_bytes",
              read_usd=f"{price}_read_usd", write_usd=f"{price}_write_usd",
              written_count=f"storage.{role}_written_count")  # fmt: skip
        enter(f"cost.{role}_tier_usd", ownership.all_tiers, stored_usd=f"cost.{role}_tier_stored_usd",
              use_usd=f"cost.{role}_tier_use_usd")  # fmt: skip
        enter(f"cost.{role}_egress_usd", ownership.egress, read_bytes=_READ[role],
              egress_usd_per_byte=f"{price}_egress_usd_per_byte")  # fmt: skip
    enter("cost.tier_usd", ownership.all_tiers, **{f"{role}_tier_usd": f"cost.{role}_tier_usd" for role in roles})
    enter("cost.egress_usd", ownership.all_tiers, **{f"{role}_egress_usd": f"cost.{role}_egress_usd" for role in roles})
    return "cost.egress_usd"


def _use(ledger: Ledger, *, is_training: bool) -> None:
    """Enter what is read from rented storage each month, and what is written to it."""
    enter: Any = ledger.derive
    if is_training:
        enter(_READ["shared"], ownership.run_reads, samples="training.samples",
              read_bytes_per_image="training.read_bytes_per_image", run_count="training.run_count")  # fmt: skip
    else:
        ledger.give(
            _READ["shared"], "bytes", np.zeros((1, 1)), source="nothing is trained in this scenario", evidence="published"
        )
    enter(
        _READ["archive"],
        ownership.archive_reads,
        stored_bytes="storage.archive_tier_bytes",
        read_share="storage.archive_read_share",
    )
    arriving = {"arriving_images_per_s": "dataset.arriving_images_per_s", "month_s": "month_s"}
    enter("storage.shared_written_count", ownership.written_objects, kept_share="start.kept_share",
          images_per_object="storage.images_per_shard", **arriving)  # fmt: skip
    enter("storage.archive_written_count", ownership.written_objects, kept_share="storage.raw_kept_factor",
          images_per_object="storage.images_per_raw_object", **arriving)  # fmt: skip
