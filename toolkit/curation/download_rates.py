"""How fast a batch was fetched, and how much of it could not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["download_rates"]


def download_rates(parts: Sequence[Path], elapsed_s: float) -> dict[str, float]:
    """Return how much was fetched and how fast; nothing if all of it lay on the disk.

    Parameters
    ----------
    parts : sequence of Path
        Probe parts of the batch.
    elapsed_s : float
        Time in which they were fetched and examined.
    """
    scan = pl.scan_parquet(list(parts), glob=False).filter(pl.col("locator").str.contains('"kind": "remote"', literal=True))
    is_there = pl.col("size_bytes").is_not_null()
    found = scan.select(there=is_there.sum(), gone=(~is_there).sum(), size_bytes=pl.col("size_bytes").sum()).collect(
        engine="streaming"
    )
    there, gone, size_bytes = found.row(0)
    if not there and not gone:
        return {}
    return {
        "download_bytes_per_s": size_bytes / elapsed_s,
        "downloaded_image_count": float(there),
        "download_failed_count": float(gone),
    }
