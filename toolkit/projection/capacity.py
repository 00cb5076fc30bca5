"""What takes room beside the images: refusals, derived files, small files; where it lies, and when it is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "archive_tier", "cache_tier", "derived", "filesystem_overhead", "left_on_drives", "metadata_operations", "quarantine",
    "raw_files", "shared_tier", "shortage", "time_to_fill",
]  # fmt: skip


@formula("bytes", "bytes of everything that came in x share that was refused")
def quarantine(image_bytes: Draws, kept_share: Draws, quarantined_share: Draws) -> Any:
    """Bytes of refused images, which are kept with their reason.

    Source: definition; refused images are taken to be as large as kept ones.

    Examples
    --------
    >>> float(quarantine(90.0, 0.9, 0.02))
    2.0
    """
    return image_bytes / kept_share * quarantined_share


@formula("bytes", "curated bytes x bytes of derived files per curated byte")
def derived(curated_bytes: Draws, derived_factor: Draws) -> Any:
    """Bytes of thumbnails, embeddings, resized copies and scratch.  Source: the scenario's storage.derived_factor."""
    return curated_bytes * derived_factor


@formula("count", "images / share kept, where raw data is kept and lies as files; else 0")
def raw_files(images: Draws, kept_share: Draws, is_raw_kept: Draws, is_file: Draws) -> Any:
    """Files that came in, one for each image.  Source: definition."""
    return images / kept_share * is_raw_kept * is_file


@formula("bytes", "(stored + protection) x share that the filesystem takes for itself / (1 - that share)")
def filesystem_overhead(logical_bytes: Draws, protection_bytes: Draws, overhead_share: Draws) -> Any:
    """Bytes of journals, allocation maps and reserved blocks.  Source: ext4 reserves 1.6 % for inodes; XFS and ZFS 1 to 3 %."""
    return (logical_bytes + protection_bytes) * overhead_share / (1 - overhead_share)


@formula("per_s", "images that come in each second x operations for one, where each is a file; else objects")
def metadata_operations(arriving_images_per_s: Draws, operation_count: Draws, is_file: Draws, images_per_object: Draws) -> Any:
    """Creations, look-ups and renames each second while data comes in.

    Source: a file is created, written, closed and renamed; in shards that is paid once for all images of one.
    """
    return arriving_images_per_s * operation_count / np.where(is_file > 0, 1.0, np.maximum(images_per_object, 1.0))


@formula("bytes", "curated + derived + checkpoints + components")
def shared_tier(curated_bytes: Draws, derived_bytes: Draws, checkpoint_bytes: Draws, component_bytes: Draws) -> Any:
    """Bytes that runs read and write: shared storage that delivers the demand.  Source: sum of the parts."""
    return curated_bytes + derived_bytes + checkpoint_bytes + component_bytes


@formula("bytes", "raw + small-file waste + quarantine + earlier versions")
def archive_tier(raw_bytes: Draws, small_file_bytes: Draws, quarantine_bytes: Draws, versions_bytes: Draws) -> Any:
    """Bytes that are kept but hardly read: object or archive storage does.  Source: sum of the parts."""
    return raw_bytes + small_file_bytes + quarantine_bytes + versions_bytes


@formula("bytes", "stored - rented, not below 0")
def left_on_drives(logical_bytes: Draws, rented_bytes: Draws) -> Any:
    """Bytes that lie on drives of one's own, where part of what is stored is rented.

    Source: definition; the provider of rented storage sees to its protection and its free space.
    """
    left = logical_bytes - rented_bytes
    return np.where(left > 1e-9 * logical_bytes, left, 0.0)  # sums of floats in another order differ by as little


@formula("bytes", "the smaller of nodes x cache of a node and the dataset on every node")
def cache_tier(node_count: Draws, cache_bytes: Draws, curated_bytes: Draws) -> Any:
    """Bytes of the dataset that lie in the nodes' memory and drives.  Source: definition; caches of nodes do not add up."""
    return node_count * np.minimum(cache_bytes, curated_bytes)


@formula(
    "s",
    "(capacity there is - capacity needed) / growth of the need each second; unbounded if it does not grow",
    across_months=True,
)
def time_to_fill(owned_bytes: Draws, capacity_bytes: Draws, month_s: Draws) -> Any:
    """Seconds until the capacity there is will be full, at the growth of the month; 0 once it is.

    Source: definition.

    Examples
    --------
    >>> (time_to_fill(np.array([[100.0]]), np.array([[50.0, 60.0, 120.0]]), np.array([[1.0]])) + 0).tolist()
    [[5.0, 4.0, 0.0]]
    """
    if capacity_bytes.shape[1] < 2:
        return np.where(capacity_bytes > owned_bytes, 0.0, np.inf)
    growth = np.diff(capacity_bytes, axis=1)
    growth = np.concatenate([growth[:, :1], growth], axis=1) / month_s
    left = np.maximum(owned_bytes - capacity_bytes, 0.0)
    return np.where(growth > 0, left / np.where(growth > 0, growth, 1.0), np.where(left > 0, np.inf, 0.0))


@formula("share", "share of the draws in which more is needed than there is")
def shortage(needed: Draws, available: Draws) -> Any:
    """Probability that what there is does not do, by month.

    Source: share of Monte Carlo draws (Metropolis and Ulam 1949).

    Examples
    --------
    >>> shortage(np.array([[1.0], [3.0]]), np.array([[2.0]])).tolist()
    [[0.5]]
    """
    return np.asarray(needed > available).mean(axis=0, keepdims=True)
