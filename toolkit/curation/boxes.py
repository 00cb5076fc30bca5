"""Boxes turned with their image: an annotator's pixels are those of the file, a reader's those of the display."""

from __future__ import annotations

import polars as pl

from toolkit.curation.annotations import BOX_DTYPE

__all__ = ["turned_boxes"]


def turned_boxes(matched: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its boxes in display pixels.

    Boxes are in the pixels of the file, unless the annotator's image size says that it was seen turned already; relative
    ones are shares of the display.

    Source: Exif 3.0, tag 0x0112 (orientation): which row and column of the display the first ones of the file are.
    """
    boxed = matched.filter(pl.col("boxes").list.len() > 0)
    if boxed.is_empty():
        return matched
    orientation = pl.col("orientation").fill_null(1)
    is_swapped = (orientation >= 5) & (pl.col("width_px") != pl.col("height_px"))
    seen_turned = (pl.col("coded_width_px") == pl.col("width_px")) & (pl.col("coded_height_px") == pl.col("height_px"))
    relative = pl.col("is_relative").fill_null(value=False)
    as_shown = relative | pl.col("is_displayed").fill_null(value=False) | (is_swapped & seen_turned.fill_null(value=False))
    each = boxed.select(
        "line",
        "row",
        box="boxes",
        turn=pl.when(as_shown).then(1).otherwise(orientation),
        x_scale=pl.when(relative).then("width_px").otherwise(1),
        y_scale=pl.when(relative).then("height_px").otherwise(1),
        file_width_px=pl.when(orientation >= 5).then("height_px").otherwise("width_px"),
        file_height_px=pl.when(orientation >= 5).then("width_px").otherwise("height_px"),
    ).explode("box")
    turned = each.group_by("line", "row", maintain_order=True).agg(turned=_turned_box())
    joined = matched.join(turned, on=["line", "row"], how="left", maintain_order="left")
    return joined.with_columns(boxes="turned").drop("turned")


def _turned_box() -> pl.Expr:
    """Return the box in display pixels, from ``box``, ``turn`` and the size of the file's pixels."""
    x, y, w, h, label = (pl.col("box").struct.field(field.name) for field in BOX_DTYPE.fields)
    x, w, y, h = x * pl.col("x_scale"), w * pl.col("x_scale"), y * pl.col("y_scale"), h * pl.col("y_scale")
    turn = pl.col("turn")
    far_x, far_y = pl.col("file_width_px") - x - w, pl.col("file_height_px") - y - h
    return pl.struct(
        x_px=pl.when(turn.is_in([2, 3])).then(far_x).when(turn.is_in([5, 8])).then(y).when(turn >= 6).then(far_y).otherwise(x),
        y_px=pl.when(turn.is_in([3, 4])).then(far_y).when(turn.is_in([5, 6])).then(x).when(turn >= 7).then(far_x).otherwise(y),
        width_px=pl.when(turn >= 5).then(h).otherwise(w),
        height_px=pl.when(turn >= 5).then(w).otherwise(h),
        label=label,
    )
