"""The wiring of storage: from images to drives, what they must deliver, and what they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.projection import network, storage

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger

__all__ = ["derive"]


def derive(ledger: Ledger) -> None:
    """Enter everything about storage into a ledger."""
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
    enter(
        "storage.logical_bytes",
        storage.logical,
        raw_bytes="storage.raw_bytes",
        curated_bytes="storage.curated_bytes",
        versions_bytes="storage.versions_bytes",
        checkpoint_bytes="storage.checkpoint_bytes",
        component_bytes="dataset.component_bytes",
    )
    enter(
        "storage.protection_bytes",
        storage.protection,
        logical_bytes="storage.logical_bytes",
        protection_factor="storage.protection_factor",
    )
    enter(
        "storage.headroom_bytes",
        storage.headroom,
        logical_bytes="storage.logical_bytes",
        protection_bytes="storage.protection_bytes",
        headroom_share="storage.headroom_share",
    )
    enter(
        "storage.capacity_bytes",
        storage.capacity,
        logical_bytes="storage.logical_bytes",
        protection_bytes="storage.protection_bytes",
        headroom_bytes="storage.headroom_bytes",
    )
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
    enter(
        "storage.drive_count",
        storage.drive_count,
        capacity_bytes="storage.capacity_bytes",
        demand_bytes_per_s="bandwidth.storage_demand_bytes_per_s",
        drive_bytes="drive.capacity_bytes",
        drive_bytes_per_s="drive.read_bytes_per_s",
    )
    _supply(ledger)
    enter(
        "network.transfer_s",
        network.transfer_time,
        size_bytes="storage.curated_bytes",
        link_bytes_per_s="network.transfer_link_bytes_per_s",
        payload_share="network.payload_share",
    )


def _supply(ledger: Ledger) -> None:
    name, enter = "bandwidth.storage_supply_bytes_per_s", ledger.derive
    if "supply.stated_bytes_per_s" in ledger.values:
        enter(name, storage.stated_supply, stated_bytes_per_s="supply.stated_bytes_per_s")
    elif "supply.node_bytes_per_s" in ledger.values:
        enter(name, storage.supply_of_nodes, node_bytes_per_s="supply.node_bytes_per_s", node_count="training.node_count")
    else:
        enter(
            name,
            storage.supply_of_drives,
            drive_count="storage.drive_count",
            drive_bytes_per_s="drive.read_bytes_per_s",
            node_count="training.node_count",
            link_bytes_per_s="network.node_link_bytes_per_s",
        )
