"""How fast a batch was fetched, as it was measured file by file, and how much of it could not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from toolkit.curation.parts import scan_parts
from toolkit.curation.sources.transfers import noted_transfers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["download_rates"]


def download_rates(parts: Sequence[Path], staging: Path) -> dict[str, float]:
    """Return how much was fetched, in what time, over how many connections; nothing if all of it lay on the disk.

    The time is that in which something was on its way, from request to last byte; reading, decoding, waiting between
    tries and for a host's turn are not part of it. Clocks of several hosts are taken for equal.

    Parameters
    ----------
    parts : sequence of Path
        Probe parts of the batch.
    staging : Path
        Folder of unfinished work, where transfers were noted.
    """
    scan = scan_parts(parts).filter(pl.col("locator").str.contains('"kind": "remote"', literal=True))
    is_there = pl.col("size_bytes").is_not_null()
    found = scan.select(there=is_there.sum(), gone=(~is_there).sum()).collect(engine="streaming")
    there, gone = found.row(0)
    transfers = noted_transfers(staging)
    if not there and not gone and transfers.is_empty():
        return {}
    facts = {"downloaded_image_count": float(there), "download_failed_count": float(gone)}
    if transfers.is_empty():
        return facts
    size_bytes, connection_s, busy_s = (
        float(transfers["size_bytes"].sum()),
        float(transfers["elapsed_s"].sum()),
        _busy_s(transfers),
    )
    return facts | {
        "downloaded_file_count": float(len(transfers)),
        "downloaded_bytes": size_bytes,
        "download_s": busy_s,
        "download_bytes_per_s": size_bytes / busy_s,
        "download_connection_count": connection_s / busy_s,
        "download_bytes_per_connection_s": size_bytes / connection_s,
    }


def _busy_s(transfers: pl.DataFrame) -> float:
    """Return the time in which at least one transfer was on its way."""
    ordered = transfers.select(start="start_s", end=pl.col("start_s") + pl.col("elapsed_s")).sort("start")
    before = pl.col("end").cum_max().shift(1)
    alone = pl.col("end") - pl.max_horizontal("start", before)
    return float(ordered.select(alone.clip(lower_bound=0).sum()).item()) or 1e-9
