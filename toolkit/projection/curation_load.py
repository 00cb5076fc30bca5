"""What each batch that comes in takes: examination on cores, and the search of what is new against all that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["batch", "elapsed", "examination", "monthly_share", "search"]


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


@formula("s", "time for a million x ((images there are + batch) / a million) ^ exponent", valid={"images": (1, 1e7)})
def search(images: Draws, batch_images: Draws, million_s: Draws, exponent: Draws) -> Any:
    """Core-seconds to compare a batch with all that is there: joins over hashes of both.

    Source: measured on this toolkit's duplicate search: 1.8 s for a million hashes; its exponent is held to at most 1.2.

    Examples
    --------
    >>> float(search(1e6, 0.0, 1.8, 1.1))
    1.8
    """
    return million_s * ((images + batch_images) / 1e6) ** exponent


@formula("s", "(examination + search) / (cores x share left by neighbours)")
def elapsed(examination_s: Draws, search_s: Draws, core_count: Draws, own_share: Draws) -> Any:
    """Seconds that a batch takes on the cores given to curation.  Source: threads scale by 1.9 to 2.0 on two cores."""
    return (examination_s + search_s) / (core_count * own_share)


@formula("share", "time of a batch x batches each month / seconds of a month")
def monthly_share(elapsed_s: Draws, batch_count: Draws, month_s: Draws) -> Any:
    """Share of the month that curation runs; above 1 it falls behind.  Source: definition."""
    return elapsed_s * batch_count / month_s
