"""What the dataset takes on drives: parts, protection, headroom; and how fast it must be read and written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "capacity", "capacity_drives", "checkpoint_storage", "curated", "drive_count", "erasure_coded_bytes", "erasure_factor",
    "headroom", "ingest", "logical", "over_links", "padding", "planned_reads", "protection", "raw", "stated_supply", "storage_demand",
    "supply_of_drives", "supply_of_nodes", "versions", "written_to_drives",
]  # fmt: skip


@formula("bytes", "bytes of the images kept / share kept, if raw data is kept; else 0")
def raw(image_bytes: Draws, kept_share: Draws, is_raw_kept: Draws) -> Any:
    """Bytes of everything that came in.  Source: definition."""
    return image_bytes / kept_share * is_raw_kept


@formula("bytes", "bytes of the images x shard bytes per image byte")
def curated(image_bytes: Draws, shard_overhead: Draws) -> Any:
    """Bytes of the shards, metadata columns and footers included.  Source: measured on the dataset's own shards."""
    return image_bytes * shard_overhead


@formula("bytes", "curated bytes x share a version rewrites x versions kept")
def versions(curated_bytes: Draws, rewrite_share: Draws, kept_version_count: Draws) -> Any:
    """Bytes that only earlier versions refer to.  Source: Delta Lake keeps replaced files until they are vacuumed."""
    return curated_bytes * rewrite_share * kept_version_count


@formula("bytes", "checkpoint bytes x checkpoints kept")
def checkpoint_storage(checkpoint_bytes: Draws, kept_checkpoint_count: Draws) -> Any:
    """Bytes of the checkpoints kept.  Source: definition."""
    return checkpoint_bytes * kept_checkpoint_count


@formula("bytes", "raw + small-file waste + quarantine + curated + derived + versions + checkpoints + components")
def logical(
    raw_bytes: Draws,
    curated_bytes: Draws,
    versions_bytes: Draws,
    checkpoint_bytes: Draws,
    component_bytes: Draws,
    *,
    quarantine_bytes: Draws,
    derived_bytes: Draws,
    small_file_bytes: Draws,
) -> Any:
    """Bytes stored, before protection.  Source: sum of the parts."""
    came_in = raw_bytes + small_file_bytes + quarantine_bytes
    return came_in + curated_bytes + derived_bytes + versions_bytes + checkpoint_bytes + component_bytes


@formula(
    "bytes",
    "stored bytes x (bytes on drives per byte stored - 1) + padding of small files",
    valid={"protection_factor": (1, 5, "from one copy to five")},
)
def protection(logical_bytes: Draws, protection_factor: Draws, padding_bytes: Draws | float = 0.0) -> Any:
    """Bytes of replicas or parity.

    Source: replication r, Reed and Solomon 1960 (k+m)/k; minio docs/erasure/storage-class for the table of ratios.
    """
    return logical_bytes * (protection_factor - 1) + padding_bytes


@formula(
    "ratio",
    "(data + parity) / data",
    valid={"data_count": (1, 32, "Reed-Solomon codes in use have up to 32 pieces"), "parity_count": (0, "data_count")},
)
def erasure_factor(data_count: Draws, parity_count: Draws) -> Any:
    """Bytes on drives for each byte stored, under an erasure code; as many drives as there is parity may be lost.

    Source: Reed and Solomon 1960, doi 10.1137/0108018.

    Examples
    --------
    >>> erasure_factor(8.0, 2.0)
    1.25
    """
    return (data_count + parity_count) / data_count


@formula(
    "bytes",
    "(data + parity) x bytes of a piece, each rounded up to what a drive allocates",
    valid={"data_count": (1, 32, "Reed-Solomon codes in use have up to 32 pieces"), "parity_count": (0, "data_count")},
)
def erasure_coded_bytes(size_bytes: Draws, data_count: Draws, parity_count: Draws, piece_bytes: Draws) -> Any:
    """Bytes on drives of one object under an erasure code: small objects pay for pieces that are not full.

    Source: Reed and Solomon 1960; minimum allocation as in Ceph (bluestore_min_alloc_size, 4 KiB).

    Examples
    --------
    >>> float(erasure_coded_bytes(8192.0, 8.0, 2.0, 4096.0))
    40960.0
    """
    return (data_count + parity_count) * np.ceil(size_bytes / data_count / piece_bytes) * piece_bytes


@formula("bytes", "bytes on drives x headroom / (1 - headroom)")
def headroom(logical_bytes: Draws, protection_bytes: Draws, headroom_share: Draws, filesystem_bytes: Draws | float = 0.0) -> Any:
    """Bytes to keep free.  Source: stas00/ml-engineering, storage: distributed filesystems are reliable up to about 80 %."""
    return (logical_bytes + protection_bytes + filesystem_bytes) * headroom_share / (1 - headroom_share)


@formula("bytes", "stored + protection + filesystem + headroom")
def capacity(logical_bytes: Draws, protection_bytes: Draws, headroom_bytes: Draws, filesystem_bytes: Draws | float = 0.0) -> Any:
    """Bytes of drives to have.  Source: sum of the parts."""
    return logical_bytes + protection_bytes + filesystem_bytes + headroom_bytes


@formula(
    "count",
    "capacity / drive capacity, rounded up; at least the pieces of a stripe, or the copies",
    valid={"drive_bytes": (1e11, 1.5e15, "from a drive of 100 GB to a server of 60 disks")},
)
def capacity_drives(capacity_bytes: Draws, drive_bytes: Draws, least_drive_count: Draws | float = 1.0) -> Any:
    """Drives that hold the data.

    Source: Reed and Solomon 1960: a stripe survives the loss of drives only where each of its pieces lies on another.

    Examples
    --------
    >>> float(capacity_drives(1e12, 7.68e12, 10.0)), float(capacity_drives(100e12, 7.68e12, 10.0))
    (10.0, 14.0)
    """
    return np.where(np.asarray(capacity_bytes) > 0, np.maximum(np.ceil(capacity_bytes / drive_bytes), least_drive_count), 0.0)


@formula(
    "count", "the larger of the drives that hold the data and what they must deliver / (drive rate x share delivered), rounded up"
)
def drive_count(held_drive_count: Draws, planned_bytes_per_s: Draws, drive_bytes_per_s: Draws, delivery_share: Draws) -> Any:
    """Drives that hold the data and deliver what is read.

    Source: definition.

    Examples
    --------
    >>> float(drive_count(14.0, 200e9, 7e9, 0.8))
    36.0
    """
    return np.maximum(held_drive_count, np.ceil(planned_bytes_per_s / (drive_bytes_per_s * delivery_share)))


@formula("bytes_per_s", "the smaller of demand and supply")
def planned_reads(demand_bytes_per_s: Draws, supply_bytes_per_s: Draws) -> Any:
    """Bytes each second that drives are bought for where the supply is stated or measured: more would not come through.

    Source: bottleneck law, X <= min of capacities (Denning and Buzen 1978).
    """
    return np.minimum(demand_bytes_per_s, supply_bytes_per_s)


@formula(
    "bytes",
    "files x (bytes of a file in pieces that are rounded up - its bytes in blocks x bytes on drives per byte), not below 0",
)
def padding(
    file_count: Draws, mean_file_bytes: Draws, data_count: Draws, parity_count: Draws, block_bytes: Draws, waste_bytes: Draws
) -> Any:
    """Bytes that small files take under an erasure code beyond its ratio, as each is cut into pieces of whole blocks.

    Source: Reed and Solomon 1960; minimum allocation as in Ceph (bluestore_min_alloc_size, 4 KiB).

    Examples
    --------
    >>> float(padding(1000.0, 10_000.0, 8.0, 2.0, 4096.0, 1000 * 2304.0))
    25580000.0
    """
    coded = file_count * erasure_coded_bytes(mean_file_bytes, data_count, parity_count, block_bytes)
    counted = (file_count * mean_file_bytes + waste_bytes) * erasure_factor(data_count, parity_count)
    return np.maximum(0.0, coded - counted)


@formula("bytes_per_s", "images coming in x bytes per image x how much faster than on average they come")
def ingest(arriving_images_per_s: Draws, bytes_per_image: Draws, peak_factor: Draws) -> Any:
    """Bytes that come in each second at the peak.  Source: definition."""
    return arriving_images_per_s * bytes_per_image * peak_factor


@formula(
    "bytes_per_s",
    "epoch reads + ingest + checkpoint bytes averaged over the interval",
    valid={"checkpoint_interval_s": (60, math.inf, "an average over minutes; a burst asks for more")},
)
def storage_demand(
    read_bytes_per_s: Draws, ingest_bytes_per_s: Draws, checkpoint_bytes: Draws, checkpoint_interval_s: Draws
) -> Any:
    """Bytes each second that the storage must deliver and take while a run goes on.  Source: sum of the parts."""
    return read_bytes_per_s + ingest_bytes_per_s + checkpoint_bytes / checkpoint_interval_s


@formula("bytes_per_s", "measured rate of one node x nodes")
def supply_of_nodes(node_bytes_per_s: Draws, node_count: Draws) -> Any:
    """Bytes each second that as many nodes read, each from storage like the one measured.

    Source: measured on one node; the product holds for node-local drives and is an upper bound for a shared filesystem.
    """
    return node_bytes_per_s * node_count


@formula("bytes_per_s", "as stated")
def stated_supply(stated_bytes_per_s: Draws) -> Any:
    """Bytes each second that the storage delivers, as stated.  Source: the scenario's storage.supply."""
    return stated_bytes_per_s


@formula("bytes_per_s", "nodes x link x share of payload")
def over_links(node_count: Draws, link_bytes_per_s: Draws, payload_share: Draws) -> Any:
    """Bytes each second that nodes exchange with storage that is wide enough, such as an object store.

    Source: bottleneck law; an object store answers 5,500 reads a second of each prefix (AWS), 92 GB/s at 16 MiB a read.
    """
    return node_count * link_bytes_per_s * payload_share


@formula("bytes_per_s", "drives x rate of a drive x share delivered, at most nodes x link x share of payload")
def supply_of_drives(
    drive_count: Draws,
    drive_bytes_per_s: Draws,
    delivery_share: Draws,
    node_count: Draws,
    link_bytes_per_s: Draws,
    payload_share: Draws,
) -> Any:
    """Bytes each second that the drives which are bought deliver over the nodes' links.

    Source: bottleneck law, X <= min of capacities (Denning and Buzen 1978).

    Examples
    --------
    >>> [float(supply_of_drives(n, 0.26e9, 0.8, 2.0, 12.5e9, 0.92)) / 1e9 for n in (50.0, 500.0)]
    [10.4, 23.0]
    """
    return np.minimum(drive_count * drive_bytes_per_s * delivery_share, node_count * link_bytes_per_s * payload_share)


@formula(
    "bytes_per_s", "drives x write rate x share delivered / bytes on drives per byte, at most nodes x link x share of payload"
)
def written_to_drives(
    drive_count: Draws,
    drive_bytes_per_s: Draws,
    delivery_share: Draws,
    protection_factor: Draws,
    node_count: Draws,
    link_bytes_per_s: Draws,
    payload_share: Draws,
) -> Any:
    """Bytes each second that nodes write to all drives together, copies or parity with them.

    Source: bottleneck law, X <= min of capacities (Denning and Buzen 1978).

    Examples
    --------
    >>> float(written_to_drives(50.0, 0.26e9, 0.8, 1.25, 2.0, 12.5e9, 0.92)) / 1e9
    8.32
    """
    drives = drive_count * drive_bytes_per_s * delivery_share / protection_factor
    return np.minimum(drives, node_count * link_bytes_per_s * payload_share)
