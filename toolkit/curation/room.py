"""Room on the disk: how much will be needed, and a disk that takes no more, told from other faults in one sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from toolkit.curation.recipe import Resize
    from toolkit.curation.sources import SourceUnit

__all__ = ["no_room", "shard_bytes", "staged_bytes"]

_ROW_BYTES: Final = 2_048
"""Room for the facts of an image in its shard and the catalog, generously."""

_JPEG_BYTES_PER_PIXEL: Final = 0.5
"""Of a photograph at quality 90, about; smaller images take more per pixel than large ones."""


def staged_bytes(unit: SourceUnit) -> int:
    """Return what will be laid down at least when a unit is read: members of compressed tars, and remote files.

    Images do not get smaller by being packed, so an archive's own size is the least of its members'.
    """
    if unit.kind == "remote":
        return sum(item.size_bytes for item in unit.items)
    with contextlib.suppress(OSError):  # who reads it will tell what is wrong with it
        return Path(unit.path).stat().st_size if unit.kind == "tar_stream" else 0
    return 0


def shard_bytes(kept: pl.DataFrame, found_count: int, resize: Resize | None) -> int:
    """Return about how much the shards and the catalog of a batch will take.

    Parameters
    ----------
    kept : pl.DataFrame
        ``size_bytes``, ``width_px``, ``height_px`` of the images kept.
    found_count : int
        Occurrences.
    resize : Resize, optional
        How images are re-encoded; None keeps their bytes.

    Examples
    --------
    >>> kept = pl.DataFrame({"size_bytes": [10**6], "width_px": [4_000], "height_px": [3_000]})
    >>> shard_bytes(kept, 1, None)
    1002048
    """
    size_bytes = pl.col("size_bytes").cast(pl.Float64)
    if resize is not None:
        side_px = (pl.max_horizontal if resize.longest_px else pl.min_horizontal)("width_px", "height_px")
        goal_px = resize.longest_px or resize.shortest_px or 1
        scale = (goal_px / side_px).clip(upper_bound=1.0)
        size_bytes = pl.col("width_px").cast(pl.Float64) * pl.col("height_px") * scale**2 * _JPEG_BYTES_PER_PIXEL
    return int(kept.select(size_bytes.sum()).item()) + _ROW_BYTES * found_count


_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_RUST: Final = re.compile(r"\(os error (\d+)\)")
"""How Rust's ``std::io::Error`` ends: Polars raises it without its number, sometimes as an ``OSError``."""


def no_room(place: object, fault: Exception) -> str | None:
    """Return the sentence about a disk that takes no more, if that is what a fault is.

    Examples
    --------
    >>> no_room("/data", OSError(errno.EACCES, "no")) is None
    True
    >>> no_room("/data", ValueError("parquet: No space left on device (os error 28)"))
    "the disk that holds '/data' takes no more (no space left on device); make room and run the same command again to go on"
    >>> no_room("/data", OSError("File too large (os error 27)")) is None
    False
    """
    told = _RUST.search(str(fault))
    number = getattr(fault, "errno", None) or (int(told.group(1)) if told is not None else None)
    if number not in _NO_ROOM:
        return None
    why = os.strerror(number).lower()
    return f"the disk that holds '{place}' takes no more ({why}); make room and run the same command again to go on"
