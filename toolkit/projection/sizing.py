"""The wiring of storage: from images to drives, what they must deliver, and what they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.projection import capacity, network, packaging, storage

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
    enter(
        "storage.protection_bytes",
        storage.protection,
        logical_bytes="storage.logical_bytes",
        protection_factor="storage.protection_factor",
    )
    enter(
        "storage.filesystem_bytes",
        capacity.filesystem_overhead,
        logical_bytes="storage.logical_bytes",
        protection_bytes="storage.protection_bytes",
        overhead_share="storage.filesystem_share",
    )
    enter(
        "storage.headroom_bytes",
        storage.headroom,
        logical_bytes="storage.logical_bytes",
        protection_bytes="storage.protection_bytes",
        headroom_share="storage.headroom_share",
        filesystem_bytes="storage.filesystem_bytes",
    )
    enter(
        "storage.capacity_bytes",
        storage.capacity,
        logical_bytes="storage.logical_bytes",
        protection_bytes="storage.protection_bytes",
        headroom_bytes="storage.headroom_bytes",
        filesystem_bytes="storage.filesystem_bytes",
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
    enter("storage.object_count", packaging.object_count, size_bytes="storage.curated_bytes", object_bytes="storage.shard_bytes")


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
