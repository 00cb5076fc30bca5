"""The wiring of storage: from images to drives, what they must deliver, and what they can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection import capacity, growth, network, packaging, storage, traffic

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger

__all__ = ["are_drives_read", "derive_capacity", "derive_delivery", "derive_writes"]


def derive_capacity(ledger: Ledger) -> None:
    """Enter what storage holds, and the drives that hold it."""
    enter = ledger.derive
    enter(
        "storage.raw_bytes",
        storage.raw,
        image_bytes="dataset.image_bytes",
        kept_share="start.kept_share",
        is_raw_kept="storage.raw_kept_factor",
    )
    enter(
        "storage.curated_bytes", storage.curated, image_bytes="dataset.image_bytes", shard_overhead="start.shard_overhead_ratio"
    )
    enter(
        "storage.versions_bytes",
        storage.versions,
        curated_bytes="storage.curated_bytes",
        rewrite_share="storage.version_rewrite_share",
        kept_version_count="storage.kept_version_count",
    )
    enter(
        "storage.checkpoint_bytes",
        storage.checkpoint_storage,
        checkpoint_bytes="training.checkpoint_bytes",
        kept_checkpoint_count="storage.kept_checkpoint_count",
    )
    _beside(ledger)
    enter(
        "storage.logical_bytes",
        storage.logical,
        raw_bytes="storage.raw_bytes",
        curated_bytes="storage.curated_bytes",
        versions_bytes="storage.versions_bytes",
        checkpoint_bytes="storage.checkpoint_bytes",
        component_bytes="dataset.component_bytes",
        quarantine_bytes="storage.quarantine_bytes",
        derived_bytes="storage.derived_bytes",
        small_file_bytes="storage.small_file_bytes",
    )
    kept = _on_drives(ledger)
    enter(
        "storage.protection_bytes",
        storage.protection,
        logical_bytes=kept,
        protection_factor="storage.protection_factor",
        padding_bytes="storage.padding_bytes",
    )
    enter(
        "storage.filesystem_bytes",
        capacity.filesystem_overhead,
        logical_bytes=kept,
        protection_bytes="storage.protection_bytes",
        overhead_share="storage.filesystem_share",
    )
    enter(
        "storage.headroom_bytes",
        storage.headroom,
        logical_bytes=kept,
        protection_bytes="storage.protection_bytes",
        headroom_share="storage.headroom_share",
        filesystem_bytes="storage.filesystem_bytes",
    )
    enter(
        "storage.capacity_bytes",
        storage.capacity,
        logical_bytes=kept,
        protection_bytes="storage.protection_bytes",
        headroom_bytes="storage.headroom_bytes",
        filesystem_bytes="storage.filesystem_bytes",
    )
    enter(
        "storage.capacity_drive_count",
        storage.capacity_drives,
        capacity_bytes="storage.capacity_bytes",
        drive_bytes="drive.capacity_bytes",
        least_drive_count="storage.least_drive_count",
    )


def _on_drives(ledger: Ledger) -> str:
    """Enter what lies on rented storage and what on drives; return the name of the latter."""
    enter: Any = ledger.derive
    enter("storage.shared_tier_bytes", capacity.shared_tier, curated_bytes="storage.curated_bytes",
          derived_bytes="storage.derived_bytes", checkpoint_bytes="storage.checkpoint_bytes",
          component_bytes="dataset.component_bytes")  # fmt: skip
    enter("storage.archive_tier_bytes", capacity.archive_tier, raw_bytes="storage.raw_bytes",
          small_file_bytes="storage.small_file_bytes", quarantine_bytes="storage.quarantine_bytes",
          versions_bytes="storage.versions_bytes")  # fmt: skip
    rented = {f"{role}_bytes": f"storage.{role}_tier_bytes" for role in ("shared", "archive") if _is_rented(ledger, role)}
    if not rented:
        return "storage.logical_bytes"
    enter("storage.rented_bytes", growth.all_component_bytes, **rented)
    enter("storage.on_drives_bytes", capacity.left_on_drives, logical_bytes="storage.logical_bytes",
          rented_bytes="storage.rented_bytes")  # fmt: skip
    return "storage.on_drives_bytes"


def _is_rented(ledger: Ledger, role: str) -> bool:
    return f"price.{role}_tier_usd_per_byte_s" in ledger.values


def are_drives_read(ledger: Ledger) -> bool:
    """Return whether runs read from drives that are bought: no supply is stated or measured, and nothing is rented for it."""
    known = {"supply.stated_bytes_per_s", "supply.node_bytes_per_s"} & ledger.values.keys()
    return not known and not _is_rented(ledger, "shared")


def derive_writes(ledger: Ledger, nodes: str) -> None:
    """Enter what nodes write each second to the drives that capacity takes; ``nodes`` names how many there are at least."""
    name = "bandwidth.storage_write_bytes_per_s"
    links = {"link_bytes_per_s": "network.node_link_bytes_per_s", "payload_share": "network.payload_share"}
    if _is_rented(ledger, "shared"):
        ledger.derive(name, storage.over_links, node_count=nodes, **links)
        return
    ledger.derive(
        name,
        storage.written_to_drives,
        drive_count="storage.capacity_drive_count",
        drive_bytes_per_s="drive.write_bytes_per_s",
        delivery_share="storage.delivery_share",
        protection_factor="storage.protection_factor",
        node_count=nodes,
        **links,
    )


def derive_delivery(ledger: Ledger) -> None:
    """Enter what storage must deliver, the drives that do, and what they then can."""
    enter = ledger.derive
    enter(
        "bandwidth.ingest_bytes_per_s",
        storage.ingest,
        arriving_images_per_s="dataset.arriving_images_per_s",
        bytes_per_image="start.bytes_per_image",
        peak_factor="ingest.peak_factor",
    )
    enter(
        "bandwidth.storage_demand_bytes_per_s",
        storage.storage_demand,
        read_bytes_per_s="bandwidth.epoch_read_bytes_per_s",
        ingest_bytes_per_s="bandwidth.ingest_bytes_per_s",
        checkpoint_bytes="training.checkpoint_bytes",
        checkpoint_interval_s="training.checkpoint_interval_s",
    )
    _drives_and_supply(ledger)
    enter(
        "storage.read_through_s",
        traffic.read_through,
        size_bytes="storage.curated_bytes",
        read_bytes_per_s="bandwidth.storage_supply_bytes_per_s",
        **({"begin_s": "supply.begin_s"} if "supply.begin_s" in ledger.values else {}),
    )
    enter(
        "network.transfer_s",
        network.transfer_time,
        size_bytes="storage.curated_bytes",
        link_bytes_per_s="network.transfer_link_bytes_per_s",
        payload_share="network.payload_share",
    )


def _beside(ledger: Ledger) -> None:
    """Enter what takes room beside the images themselves."""
    enter = ledger.derive
    enter(
        "storage.quarantine_bytes", capacity.quarantine, image_bytes="dataset.image_bytes", kept_share="start.kept_share",
        quarantined_share="start.quarantined_share",
    )  # fmt: skip
    enter(
        "storage.derived_bytes", capacity.derived, curated_bytes="storage.curated_bytes", derived_factor="storage.derived_factor"
    )
    enter(
        "storage.raw_file_count", capacity.raw_files, images="dataset.images", kept_share="start.kept_share",
        is_raw_kept="storage.raw_kept_factor", is_file="storage.raw_file_factor",
    )  # fmt: skip
    enter(
        "storage.small_file_bytes", packaging.small_file_bytes, file_count="storage.raw_file_count",
        mean_file_bytes="start.bytes_per_image", block_bytes="storage.block_bytes", inode_bytes="storage.inode_bytes",
    )  # fmt: skip
    if "storage.stripe_data_count" in ledger.values and not _is_rented(ledger, "archive"):
        enter(
            "storage.padding_bytes", storage.padding, file_count="storage.raw_file_count", mean_file_bytes="start.bytes_per_image",
            data_count="storage.stripe_data_count", parity_count="storage.stripe_parity_count",
            block_bytes="storage.block_bytes", waste_bytes="storage.small_file_bytes",
        )  # fmt: skip
    else:
        source = "nothing is cut into pieces without an erasure code"
        ledger.give("storage.padding_bytes", "bytes", np.zeros((1, 1)), source=source, evidence="published")
    enter("storage.object_count", packaging.object_count, size_bytes="storage.curated_bytes", object_bytes="storage.shard_bytes")


def _drives_and_supply(ledger: Ledger) -> None:
    """Enter drives and supply: either follows from the other, as the supply is stated or measured, or is what is bought."""
    enter, supply = ledger.derive, "bandwidth.storage_supply_bytes_per_s"
    links = {"link_bytes_per_s": "network.node_link_bytes_per_s", "payload_share": "network.payload_share"}
    if "supply.stated_bytes_per_s" in ledger.values:
        enter(supply, storage.stated_supply, stated_bytes_per_s="supply.stated_bytes_per_s")
    elif "supply.node_bytes_per_s" in ledger.values:
        enter(supply, storage.supply_of_nodes, node_bytes_per_s="supply.node_bytes_per_s", node_count="training.node_count")
    elif _is_rented(ledger, "shared"):
        enter(supply, storage.over_links, node_count="training.node_count", **links)
    planned = "bandwidth.storage_demand_bytes_per_s"
    if _is_rented(ledger, "shared"):  # runs read from what is rented: no drive is bought for that
        planned = "bandwidth.planned_bytes_per_s"
        ledger.give(planned, "bytes_per_s", np.zeros((1, 1)), source="runs read from rented storage", evidence="published")
    elif supply in ledger.values:
        planned = "bandwidth.planned_bytes_per_s"
        enter(
            planned, storage.planned_reads, demand_bytes_per_s="bandwidth.storage_demand_bytes_per_s", supply_bytes_per_s=supply
        )
    enter(
        "storage.drive_count",
        storage.drive_count,
        held_drive_count="storage.capacity_drive_count",
        planned_bytes_per_s=planned,
        drive_bytes_per_s="drive.read_bytes_per_s",
        delivery_share="storage.delivery_share",
    )
    if supply not in ledger.values:
        enter(
            supply,
            storage.supply_of_drives,
            drive_count="storage.drive_count",
            drive_bytes_per_s="drive.read_bytes_per_s",
            delivery_share="storage.delivery_share",
            node_count="training.node_count",
            **links,
        )
