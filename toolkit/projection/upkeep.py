"""The wiring of what keeps a dataset going: batches, rebuilds, tiers, the month it is full, and the links between nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolkit.projection import capacity, curation_load, fabric, parallel, traffic

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger

__all__ = ["derive", "derive_fabric"]

_CORE_RATES: Final = ("curation.core_images_per_s", "supply.core_images_per_s")
"""Images of a core: as a whole curation was calibrated, else those it decodes."""
_OF_A_BATCH: Final = ("curation.batch_s", "curation.busy_share", "curation.pace_factor")
"""What is known of a batch's time once it was calibrated."""


def derive(ledger: Ledger, *, is_training: bool) -> None:
    """Enter curation batches, upkeep of storage and, where something is trained, what its nodes are connected by."""
    _batches(ledger)
    _upkeep(ledger)
    if is_training:
        _reads(ledger)


def _batches(ledger: Ledger) -> None:
    enter: Any = ledger.derive
    enter("curation.batch_images", curation_load.batch, arriving_images_per_s="dataset.arriving_images_per_s",
          month_s="month_s", batch_count="curation.batch_count")  # fmt: skip
    enter("curation.examination_s", curation_load.examination, batch_images="curation.batch_images",
          core_images_per_s=next(name for name in _CORE_RATES if name in ledger.values),
          beside_factor="curation.beside_factor")  # fmt: skip
    enter("curation.search_s", curation_load.search, images="dataset.images", batch_images="curation.batch_images",
          million_s="curation.search_million_s", exponent="curation.search_exponent")  # fmt: skip
    enter("curation.moved_bytes", curation_load.moved, batch_images="curation.batch_images",
          bytes_per_image="start.bytes_per_image", kept_share="start.kept_share",
          shard_overhead="start.shard_overhead_ratio")  # fmt: skip
    enter("curation.elapsed_s", curation_load.elapsed, examination_s="curation.examination_s", search_s="curation.search_s",
          core_count="curation.core_count", own_share="curation.own_share", moved_bytes="curation.moved_bytes",
          link_bytes_per_s="network.node_link_bytes_per_s", payload_share="network.payload_share",
          supply_bytes_per_s="bandwidth.storage_supply_bytes_per_s",
          **{name.removeprefix("curation."): name for name in _OF_A_BATCH if name in ledger.values})  # fmt: skip
    enter("curation.load_share", curation_load.monthly_share, elapsed_s="curation.elapsed_s",
          batch_count="curation.batch_count", month_s="month_s")  # fmt: skip
    enter("bandwidth.curation_bytes_per_s", traffic.curation_traffic, moved_bytes="curation.moved_bytes",
          elapsed_s="curation.elapsed_s")  # fmt: skip


def _upkeep(ledger: Ledger) -> None:
    enter: Any = ledger.derive
    enter("bandwidth.rebuild_bytes_per_s", traffic.rebuild, drive_bytes="drive.capacity_bytes",
          read_piece_count="storage.rebuild_piece_count", rebuild_s="storage.rebuild_s")  # fmt: skip
    enter("bandwidth.metadata_per_s", capacity.metadata_operations, arriving_images_per_s="dataset.arriving_images_per_s",
          operation_count="storage.file_operation_count", is_file="storage.raw_file_factor",
          images_per_object="storage.images_per_shard")  # fmt: skip
    enter("network.wan_load_share", fabric.link_load, demand_bytes_per_s="bandwidth.ingest_bytes_per_s",
          link_bytes_per_s="network.transfer_link_bytes_per_s", payload_share="network.payload_share")  # fmt: skip
    if "storage.owned_bytes" in ledger.values:
        owned = {"owned_bytes": "storage.owned_bytes", "capacity_bytes": "storage.capacity_bytes"}
        enter("storage.time_to_fill_s", capacity.time_to_fill, month_s="month_s", **owned)
        enter("storage.shortage_share", capacity.shortage, needed="storage.capacity_bytes", available="storage.owned_bytes")


def _reads(ledger: Ledger) -> None:
    enter: Any = ledger.derive
    enter("bandwidth.random_reads_per_s", traffic.random_reads, rate_images_per_s="training.required_images_per_s",
          hit_share="cache.hit_share")  # fmt: skip
    enter("bandwidth.sequential_reads_per_s", traffic.sequential_reads, read_bytes_per_s="bandwidth.epoch_read_bytes_per_s",
          chunk_bytes="storage.chunk_bytes")  # fmt: skip
    enter("bandwidth.shuffle_bytes_per_s", traffic.shuffle, read_bytes_per_s="bandwidth.epoch_read_bytes_per_s",
          shuffled_share="storage.shuffled_share")  # fmt: skip
    enter("training.restore_s", traffic.restore_time, checkpoint_bytes="training.checkpoint_bytes",
          read_bytes_per_s="bandwidth.storage_supply_bytes_per_s")  # fmt: skip
    enter("storage.cache_tier_bytes", capacity.cache_tier, node_count="training.node_count", cache_bytes="training.cache_bytes",
          curated_bytes="storage.curated_bytes")  # fmt: skip
    enter("training.late_share", capacity.shortage, needed="training.elapsed_s", available="training.deadline_s")


def derive_fabric(ledger: Ledger) -> None:
    """Enter cards, switches and racks, which connect and hold the nodes, and what these take."""
    enter: Any = ledger.derive
    link = {"link_bytes_per_s": "network.node_link_bytes_per_s", "payload_share": "network.payload_share"}
    enter("network.fabric_bytes_per_s", fabric.aggregate, node_bytes_per_s="network.node_bytes_per_s",
          node_count="training.node_count")  # fmt: skip
    enter("network.nic_count", fabric.nic_count, node_bytes_per_s="network.node_bytes_per_s",
          fabric_bytes_per_s="network.fabric_link_bytes_per_s", node_count="training.node_count", **link)  # fmt: skip
    ports = {"port_count": "network.switch_port_count", "oversubscription_factor": "network.oversubscription_factor"}
    enter("network.leaf_count", fabric.leaf_count, card_count="network.nic_count", **ports)
    enter("network.switch_count", fabric.switch_count, leaf_count="network.leaf_count", **ports)
    enter("network.spine_bytes_per_s", fabric.spine_bytes, fabric_bytes_per_s="network.fabric_bytes_per_s",
          leaf_count="network.leaf_count")  # fmt: skip
    enter("network.tree_allreduce_s", parallel.tree_allreduce_time, member_count="training.node_count",
          gradient_bytes="training.gradient_sum_bytes", link_bytes_per_s="network.fabric_link_bytes_per_s",
          latency_s="network.hop_latency_s")  # fmt: skip
    enter("site.rack_count", fabric.rack_count, node_count="training.node_count", spare_node_count="training.spare_node_count",
          devices_per_node="training.devices_per_node", device_w="training.device_w", node_w="training.node_w",
          rack_limit_w="site.rack_limit_w")  # fmt: skip
    enter("site.around_w", fabric.around_power, switch_count="network.switch_count", switch_w="network.switch_w",
          rack_count="site.rack_count", rack_w="site.rack_w", node_count="training.node_count")  # fmt: skip
