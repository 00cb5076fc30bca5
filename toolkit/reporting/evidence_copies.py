"""What a report shows of exact duplicates: the image that is kept, and every name under which it was found again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from toolkit.reporting.blocks import Picture
from toolkit.reporting.wording import TIMES
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.dataset.reading import Dataset
    from toolkit.reporting.evidence import Gallery

__all__ = ["copies_of"]

_CLUSTERS_SHOWN: Final = 8
_CLUSTER_PICTURES: Final = 5


def copies_of(dataset: Dataset, gallery: Gallery) -> tuple[tuple[tuple[Picture, ...], int], ...]:
    """Return the largest clusters of exact duplicates, the kept image first in each, with how often each was found in all.

    A copy has the same bytes or the same pixels as the image that is kept, so that its picture is that one's.
    """
    copies = dataset.scan("catalog").filter(
        (pl.col("state") == "duplicate") & (pl.col("reason") == "exact_duplicate") & pl.col("duplicate_of").is_not_null()
    )
    largest = (
        copies.group_by("duplicate_of").agg(copy_count=pl.len()).sort("copy_count", "duplicate_of", descending=[True, False])
    )
    counts = dict(largest.head(_CLUSTERS_SHOWN).collect(engine="streaming").iter_rows())
    if not counts:
        return ()
    shown = ("source", "duplicate_of", "image_id", "size_bytes", "format")
    found = copies.filter(pl.col("duplicate_of").is_in(list(counts))).select(shown).sort("duplicate_of", "source")
    first = found.group_by("duplicate_of", maintain_order=True).head(_CLUSTER_PICTURES - 1).collect()
    kept = _kept(dataset, list(counts))
    clusters = []
    for image_id, count in counts.items():
        row = kept.get(image_id)
        if row is None:
            continue
        picture = gallery.picture(functools.partial(dataset.get, row["position"]), row["source"], _kept_words(row))
        others = first.filter(pl.col("duplicate_of") == image_id).iter_rows(named=True)
        clusters.append(((picture, *(_copy(other, row) for other in others)), int(count) + 1))
    return tuple(clusters)


def _kept(dataset: Dataset, image_ids: list[str]) -> dict[str, dict[str, Any]]:
    columns = ("image_id", "source", "width_px", "height_px", "size_bytes")
    rows = dataset.scan("images").select(columns).with_row_index("position").filter(pl.col("image_id").is_in(image_ids)).collect()
    return {row["image_id"]: row for row in rows.iter_rows(named=True)}


def _kept_words(row: dict[str, Any]) -> str:
    return f"kept: {row['width_px']}{TIMES}{row['height_px']}, {show(row['size_bytes'], 'bytes', 2)}"


def _copy(row: dict[str, Any], kept: dict[str, Any]) -> Picture:
    size = show(row["size_bytes"], "bytes", 2)
    same = "same bytes" if row["image_id"] == kept["image_id"] else f"same pixels, {row['format'] or 'other bytes'}, {size}"
    return Picture(name=row["source"], note=same, is_repeated=True)
