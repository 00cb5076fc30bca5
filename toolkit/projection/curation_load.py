"""What each batch that comes in takes: examination on cores, and the search of what is new against all that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["batch", "elapsed", "examination", "monthly_share", "moved", "search"]


@formula("images", "images that come in each second x seconds of a month / batches each month")
def batch(arriving_images_per_s: Draws, month_s: Draws, batch_count: Draws) -> Any:
    """Images of one batch, before anything is refused.  Source: definition."""
    return arriving_images_per_s * month_s / batch_count


@formula("s", "images / images that a core examines each second x (1 + share of the time beside decoding)")
def examination(batch_images: Draws, core_images_per_s: Draws, beside_factor: Draws) -> Any:
    """Core-seconds to examine a batch: decoding, and hashing, reading and writing beside it.

    Source: measured on this toolkit's curation: a strict decode takes 0.70 to 0.80 of the time of an image.
    """
    return batch_images / core_images_per_s * beside_factor


@formula(
    "s",
    "time for a million x ((images there are + batch) / a million) ^ exponent",
    valid={"images": (1, 1e7, "near duplicates were searched among at most 10 million hashes")},
)
def search(images: Draws, batch_images: Draws, million_s: Draws, exponent: Draws) -> Any:
    """Core-seconds to compare a batch with all that is there: joins over hashes of both.

    Source: measured on this toolkit's duplicate search: 1.8 s for a million hashes; its exponent is held to at most 1.2.

    Examples
    --------
    >>> float(search(1e6, 0.0, 1.8, 1.1))
    1.8
    """
    return million_s * ((images + batch_images) / 1e6) ** exponent


@formula("bytes", "bytes that came in, read to be examined and to be packed + shards written")
def moved(batch_images: Draws, bytes_per_image: Draws, kept_share: Draws, shard_overhead: Draws) -> Any:
    """Bytes that a batch moves between storage and the cores that curate.  Source: the passes of this toolkit's curation."""
    return batch_images * bytes_per_image * (1 + kept_share * (1 + shard_overhead))


@formula(
    "s",
    "(time of any batch + the longer of (examination + search) / (cores x share left by neighbours x share kept busy) and bytes "
    "moved / what link and storage give) x how far off that was",
)
def elapsed(
    examination_s: Draws, search_s: Draws, core_count: Draws, own_share: Draws, moved_bytes: Draws, link_bytes_per_s: Draws,
    payload_share: Draws, supply_bytes_per_s: Draws, *, batch_s: Draws | float = 0.0, busy_share: Draws | float = 1.0,
    pace_factor: Draws | float = 1.0,
) -> Any:  # fmt: skip
    """Seconds that a batch takes on the cores given to curation, in one machine with one link to storage.

    What a batch takes however small, and the share of the cores that it keeps busy, are known once they were calibrated.

    Source: threads scale by 1.9 to 2.0 on two cores; bottleneck law (Denning and Buzen 1978).

    Examples
    --------
    >>> float(elapsed(60.0, 4.0, 32.0, 1.0, 1e9, 12.5e9, 1.0, 5e9)), float(elapsed(60.0, 4.0, 32.0, 1.0, 50e9, 12.5e9, 1.0, 5e9))
    (2.0, 10.0)
    """
    computed_s = (examination_s + search_s) / (core_count * own_share * busy_share)
    moved_s = moved_bytes / np.minimum(link_bytes_per_s * payload_share, supply_bytes_per_s)
    return (batch_s + np.maximum(computed_s, moved_s)) * pace_factor


@formula("share", "time of a batch x batches each month / seconds of a month")
def monthly_share(elapsed_s: Draws, batch_count: Draws, month_s: Draws) -> Any:
    """Share of the month that curation runs; above 1 it falls behind.  Source: definition."""
    return elapsed_s * batch_count / month_s
