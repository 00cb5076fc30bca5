"""What is said of images that come in after their batch: masks found where they lay, boxes turned once their size is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.annotations import BOX_DTYPE
from toolkit.curation.boxes import turned_boxes
from toolkit.curation.masks import Misfit
from toolkit.dataset.schema import CATALOG_SCHEMA

if TYPE_CHECKING:
    from toolkit.curation.assembly import Batch

__all__ = ["ANNOTATION_COLUMNS", "boxes_lost", "said_again", "unplaced_masks"]

ANNOTATION_COLUMNS: Final = tuple(
    name
    for name in ("label", "labels", "captions", "boxes", "mask_source", "metadata", "licence")
    if name in CATALOG_SCHEMA.names
)
"""What annotations say of an image, as the catalog has it."""

_KEY: Final = ["source", "batch"]


def said_again(images: pl.DataFrame, said: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Return ``row``, ``ANNOTATION_COLUMNS`` and ``mask_locator`` of images whose size may not have been known when they came.

    Boxes of which neither the catalog nor what was remembered tells the display pixels are null: ``boxes_lost`` names them.

    Parameters
    ----------
    images : pl.DataFrame
        ``row``, ``source``, ``batch``; ``orientation``, ``width_px``, ``height_px`` as they are known by now.
    said : pl.DataFrame
        ``source``, ``batch``, ``ANNOTATION_COLUMNS``, ``is_sized`` (whether the size was known then) of the catalog.
    places : pl.DataFrame
        ``source``, ``batch``, ``mask_locator``, ``unturned`` of ``known_locators``.
    """
    remembered = places.select(*_KEY, "mask_locator", "unturned").unique(_KEY, keep="any")
    found = images.join(said, on=_KEY, how="left", maintain_order="left")
    found = found.join(remembered, on=_KEY, how="left", maintain_order="left")
    waiting = found.select("row", "orientation", "width_px", "height_px", "unturned").explode("unturned").drop_nulls("unturned")
    each = turned_boxes(waiting.unnest("unturned").with_row_index("line"))
    turned = each.group_by("row").agg(turned=pl.col("boxes").explode().drop_nulls())
    is_upright = pl.col("orientation").fill_null(1) == 1
    is_whole = pl.col("boxes").list.eval(pl.element().struct.field("x_px").is_not_null()).list.all()
    known = pl.when(pl.col("is_sized") | (is_upright & is_whole)).then("boxes")
    boxes = pl.coalesce("turned", known).cast(pl.List(BOX_DTYPE))
    with_boxes = found.join(turned, on="row", how="left", maintain_order="left").with_columns(boxes=boxes)
    return with_boxes.select("row", *ANNOTATION_COLUMNS, "mask_locator")


def boxes_lost(images: pl.DataFrame, said: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the images that came with boxes and come in without, as the list ``unmatched`` of ``findings.FINDINGS``.

    Parameters
    ----------
    images, said : pl.DataFrame
        As of ``said_again``.
    labels : pl.DataFrame
        What it returned.
    """
    had = images.select("row", *_KEY).join(said.filter(pl.col("boxes").list.len() > 0), on=_KEY, how="semi")
    without = labels.filter(pl.col("boxes").is_null()).select("row")
    nothing = pl.lit(None, pl.String)
    lost = had.join(without, on="row", how="semi", maintain_order="left")
    return lost.select(problem=pl.lit("boxes_lost"), file=nothing, target="source", kind=nothing)


def unplaced_masks(batch: Batch) -> list[Misfit]:
    """Return the masks of kept images of which no one remembers where they lie, as of a dataset that an earlier release made."""
    kept = batch.outcomes.filter(pl.col("state") == "kept").select("row")
    named = batch.labels.lazy().filter(pl.col("mask_source").is_not_null() & pl.col("mask_locator").is_null()).collect()
    return [
        Misfit(row_index=row, source=source, problem="mask_unreadable")
        for row, source in named.join(kept, on="row", how="semi").select("row", "mask_source").iter_rows()
    ]
