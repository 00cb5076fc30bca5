"""What is known of re-encoded images: of the bytes that are stored, where hashes stay those of the original."""

from __future__ import annotations

import polars as pl

from toolkit.curation.headers import jpeg_frame

__all__ = ["with_new_facts"]


def with_new_facts(kept: pl.DataFrame, payloads: list[bytes]) -> pl.DataFrame:
    """Return the facts of re-encoded images: those of the bytes stored, boxes scaled; hashes stay those of the original."""
    frames = [jpeg_frame(payload) for payload in payloads]
    new = pl.DataFrame(
        {
            "new_width_px": [frame.width_px if frame else None for frame in frames],
            "new_height_px": [frame.height_px if frame else None for frame in frames],
            "size_bytes": [len(payload) for payload in payloads],
            "mode": ["L" if frame and frame.components == 1 else "RGB" for frame in frames],
        },
        schema={"new_width_px": pl.Int32, "new_height_px": pl.Int32, "size_bytes": pl.Int64, "mode": pl.String},
    )
    resized = kept.drop("size_bytes", "mode").hstack(new).with_row_index("order")
    scale_x, scale_y = pl.col("new_width_px") / pl.col("width_px"), pl.col("new_height_px") / pl.col("height_px")
    boxes = resized.filter(pl.col("boxes").list.len() > 0).select("order", "boxes", x=scale_x, y=scale_y).explode("boxes")
    box = pl.col("boxes").struct
    scaled = boxes.group_by("order").agg(
        scaled=pl.struct(
            x_px=(box.field("x_px") * pl.col("x")).cast(pl.Float32),
            y_px=(box.field("y_px") * pl.col("y")).cast(pl.Float32),
            width_px=(box.field("width_px") * pl.col("x")).cast(pl.Float32),
            height_px=(box.field("height_px") * pl.col("y")).cast(pl.Float32),
            label=box.field("label"),
        )
    )
    return resized.join(scaled, on="order", how="left", maintain_order="left").with_columns(
        width_px="new_width_px",
        height_px="new_height_px",
        boxes="scaled",
        format=pl.lit("jpeg"),
        bits=pl.lit(8),
        orientation=pl.lit(1),
        frame_count=pl.lit(1),
        has_alpha=pl.lit(value=False),
    )
