"""What goes into storage and links: what is kept and how, the medium, protection, what storage delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.projection.hardware_facts import cards, media, switches

if TYPE_CHECKING:
    from toolkit.facts import MeasurementSet
    from toolkit.projection.givens import Givens
    from toolkit.projection.hardware_entries import Medium
    from toolkit.projection.scenario import Protection, Scenario

__all__ = ["SUPPLY_IS", "delivery_share", "gather_storage", "least_drive_count"]

SUPPLY_IS: Final = "storage supply is"
"""How the flag begins that says what supply was taken without a measurement."""


def gather_storage(givens: Givens, scenario: Scenario, measured: MeasurementSet | None) -> None:
    """Add everything about storage and links."""
    storage, medium = scenario.storage, media()[scenario.storage.medium]
    givens.state("storage.raw_kept_factor", "ratio", float(storage.keep_raw))
    givens.state("storage.version_rewrite_share", "share", storage.version_rewrite)
    givens.state("storage.kept_version_count", "count", storage.kept_versions)
    givens.state("storage.kept_checkpoint_count", "count", storage.kept_checkpoints)
    givens.state("storage.headroom_share", "share", storage.headroom)
    givens.add("drive.capacity_bytes", "bytes", medium.capacity, *medium.origin("capacity"))
    givens.add("drive.read_bytes_per_s", "bytes_per_s", medium.read, *medium.origin("read"), spread=(0.8, 1.0))
    givens.add("drive.write_bytes_per_s", "bytes_per_s", medium.write, *medium.origin("write"), spread=(0.7, 1.0))
    givens.add("ingest.peak_factor", "ratio", 4.0, "data arrives in working hours and bursts", "assumed", spread=(0.5, 2.0))
    if scenario.network.nic is not None:
        card = cards()[scenario.network.nic]
        givens.add("network.node_link_bytes_per_s", "bytes_per_s", card.rate, *card.origin("rate"))
    else:
        givens.state("network.node_link_bytes_per_s", "bytes_per_s", scenario.network.node_link)
    givens.state("network.transfer_link_bytes_per_s", "bytes_per_s", scenario.network.transfer_link)
    source = "stas00/ml-engineering: plan 90 to 95 % of the line rate; less over TCP"
    givens.add("network.payload_share", "share", scenario.network.efficiency, source, "assumed", spread=(0.9, 1.03))
    _protection(givens, scenario)
    _upkeep(givens, scenario)
    _curation(givens, scenario)
    _supply(givens, scenario, measured)


def _protection(givens: Givens, scenario: Scenario) -> None:
    """Add how data survives a drive: bytes for it, drives that a stripe lies on, pieces that a rebuild reads."""
    storage = scenario.storage
    kept = storage.protection
    givens.state("storage.protection_factor", "ratio", kept.factor)
    givens.state("storage.least_drive_count", "count", float(least_drive_count(kept, media()[storage.medium])))
    givens.state("storage.rebuild_piece_count", "count", {"none": 0.0, "replicas": 1.0, "erasure": float(kept.data)}[kept.kind])
    if kept.kind == "erasure":
        givens.state("storage.stripe_data_count", "count", float(kept.data))
        givens.state("storage.stripe_parity_count", "count", float(kept.parity))
    value, source, evidence, spread = delivery_share(media()[storage.medium])
    givens.add("storage.delivery_share", "share", value, source, evidence, spread=spread)


def least_drive_count(protection: Protection, medium: Medium) -> int:
    """Return the drives that a protection takes at the least: each piece of a stripe lies on another, and so does each copy.

    A system that is bought whole holds many drives: stripes lie inside it, copies in as many systems.
    """
    if protection.kind == "replicas":
        return protection.copies
    return protection.data + protection.parity if protection.kind == "erasure" and medium.rack_units is None else 1


def delivery_share(medium: Medium) -> tuple[float, str, str, tuple[float, float] | None]:
    """Return the share of its drives' rates that storage delivers: value, source, evidence, range."""
    if medium.rack_units is not None:
        return 1.0, f"{medium.title}: its rate is that of the whole system", medium.evidence, None
    source = (
        "MLPerf Storage v1.0: one drive delivered 97 to 100 % of its rate, 24 drives behind shared links 62 %; "
        "between them for drives in servers"
    )
    return 0.8, source, "assumed", (0.78, 1.2)


def _upkeep(givens: Givens, scenario: Scenario) -> None:
    """Add what storage and links are kept going by."""
    storage, network = scenario.storage, scenario.network
    givens.state("storage.derived_factor", "ratio", storage.derived_factor)
    givens.state("storage.raw_file_factor", "ratio", float(storage.raw_as_files))
    givens.state("storage.block_bytes", "bytes", storage.block_size)
    givens.add("storage.inode_bytes", "bytes", 256.0, "ext4, default size of an inode (mke2fs.conf)", "published")
    givens.state("storage.shard_bytes", "bytes", storage.shard_size)
    givens.state("storage.filesystem_share", "share", storage.filesystem_overhead)
    givens.state("storage.rebuild_s", "s", storage.rebuild_time)
    givens.add("storage.file_operation_count", "count", 4.0, "create, write, close and rename of a file", "assumed")
    size = givens.by_name["start.bytes_per_image"].value
    givens.add(
        "storage.images_per_shard", "count", max(1.0, storage.shard_size / size), "shard size over bytes per image", "assumed"
    )
    per_object = 1.0 if storage.raw_as_files else max(1.0, storage.shard_size / size)
    givens.add(
        "storage.images_per_raw_object",
        "count",
        per_object,
        "one where raw images lie as files, else those of a shard",
        "assumed",
    )
    givens.state("storage.archive_read_share", "share", storage.archive_read)
    givens.add("storage.chunk_bytes", "bytes", 16 * 2**20, "row groups of 16 MiB, as this toolkit packs them", "published")
    givens.add("storage.shuffled_share", "share", 0.0, "shards are shuffled when they are packed", "published")
    if storage.owned is not None:
        givens.state("storage.owned_bytes", "bytes", storage.owned)
    if network.switch is not None:
        switch = switches()[network.switch]
        givens.add("network.switch_port_count", "count", switch.port_count, *switch.origin("port_count"))
    else:
        givens.state("network.switch_port_count", "count", network.switch_port_count)
    givens.state("network.oversubscription_factor", "ratio", network.oversubscription_factor)
    givens.add("network.hop_latency_s", "s", network.hop_latency, "assumed 5 microseconds, unless stated", "assumed")
    source = "prior of 0.6 to 0.9 for data-parallel training"
    givens.add("network.overlap_share", "share", 0.75, source, "assumed", spread=(0.8, 1.2))


def _curation(givens: Givens, scenario: Scenario) -> None:
    """Add what curation batches take."""
    curated = scenario.curation
    givens.state("curation.batch_count", "count", curated.batch_count)
    givens.state("curation.core_count", "count", curated.core_count)
    source = "this toolkit's duplicate search: 1.8 s for a million hashes"
    givens.add("curation.search_million_s", "s", 1.8, source, "published", spread=(0.5, 2.0))
    givens.add(
        "curation.search_exponent", "exponent", 1.1, "at most 1.2 from 1e5 to 1e7 images", "published", spread=(0.95, 1.09)
    )


def _supply(givens: Givens, scenario: Scenario, measured: MeasurementSet | None) -> None:
    """Add what storage delivers where that is stated or was measured; else it follows from the drives that are bought."""
    stated = scenario.storage.supply
    if isinstance(stated, float | int):
        givens.state("supply.stated_bytes_per_s", "bytes_per_s", float(stated))
        return
    if stated == "drives":
        return
    found = measured.find("read.sequential", cache="cold") if measured is not None else None
    if found is not None and found.unit == "bytes_per_s" and found.cache_verdict == "cold":
        givens.measure("supply.node_bytes_per_s", "bytes_per_s", found, "shards read in sequence, cold")
        return
    given = "no read of shards in sequence was proven cold" if measured is not None else "no measurements were given"
    gives = "what the drives that are bought give by their data sheets"
    if scenario.storage.shared_tier is not None:
        gives = "what the nodes' links carry, however fast rented storage answers"
    givens.flags.append(f"{given}: {SUPPLY_IS} {gives}; run tonnage measure on the target")
