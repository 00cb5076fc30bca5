"""Which image each annotation belongs to, merged into one label, captions and boxes per image; what found no partner is counted.

Boxes are turned with their image: an annotator's pixels are those of the file, a reader's those of the display.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import polars as pl
import pyarrow.parquet as pq

from toolkit.curation.annotations import ANNOTATION_SCHEMA, BOX_DTYPE, PAIR_DTYPE, with_class_names
from toolkit.curation.matching import matched_images, unannotated_images, unmatched_lines
from toolkit.curation.parts import scan_parts
from toolkit.curation.source_splits import with_source_splits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["UNTURNED", "Labelling", "label_blocks", "label_images", "table_hints", "turned_boxes"]

LabelsFrom = Literal["auto", "folders", "files", "none"]

_RANK: Final = {"table": 0, "coco": 1, "voc": 2, "yolo": 3, "document": 4, "class": 5, "caption": 6, "mask": 7}
"""Whose word holds when annotation files differ: a table's, then COCO's, and so on."""

_DECLARING: Final = ("categories", "names")
"""Kinds of lines that declare classes and speak of no image: of COCO documents, of tables with images."""

UNTURNED: Final = pl.Struct(
    {"boxes": pl.List(BOX_DTYPE)}
    | {name: ANNOTATION_SCHEMA[name] for name in ("is_relative", "is_displayed", "coded_width_px", "coded_height_px")}
)
"""Boxes as an annotation gives them, and what is needed to turn them once the size of their image is known."""

_GROUP_ROWS: Final = 8_192
"""Rows of a group of the file that labels are laid down in: who wants those of a block of images reads little more."""

_MERGED: Final = {
    "label": pl.String(),
    "labels": pl.List(pl.String),
    "captions": pl.List(pl.String),
    "boxes": pl.List(BOX_DTYPE),
    "metadata": pl.List(PAIR_DTYPE),
    "licence": pl.String(),
    "mask_source": pl.String(),
    "mask_locator": pl.String(),
    "unturned": pl.List(UNTURNED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """The annotations of a batch, by image."""

    frame: pl.DataFrame
    """``row``, ``label``, ``labels``, ``captions``, ``boxes``, ``metadata``, ``licence``, ``mask_source``, ``mask_locator``,
    ``unturned`` (boxes as they were given, where the size of the image is not known); only images that have any."""
    unmatched: pl.DataFrame
    """``file``, ``name``, ``target``, ``kind``, ``stems``: annotations whose image was not found."""
    unannotated: pl.DataFrame
    """``source``: images without an annotation in folders where others have one."""
    strays: pl.DataFrame
    """The same of text and JSON files that speak of no image, and lie where none of their kind does."""
    empty_classes: pl.DataFrame = field(default_factory=pl.DataFrame)
    """``file``, ``label``, ``kind``: classes that COCO documents, tables and lists of YOLO's declare, and no image has."""
    declared: pl.DataFrame = field(default_factory=pl.DataFrame)
    """The list ``classes`` of ``toolkit.dataset.findings``."""
    listed: pl.DataFrame = field(default_factory=pl.DataFrame)
    """The list ``unmatched`` of ``toolkit.dataset.findings``, once it is known what earlier batches read."""


def label_images(rows: pl.DataFrame, annotations: pl.DataFrame, labels_from: LabelsFrom = "auto") -> Labelling:
    """Return what is known of each image from class folders and annotation files.

    Parameters
    ----------
    rows : pl.DataFrame
        Occurrences: ``row``, ``source``, ``folder_label``, ``orientation``, ``width_px``, ``height_px`` (display).
    annotations : pl.DataFrame
        As ``toolkit.curation.annotations.ANNOTATION_SCHEMA``.
    labels_from : str
        Which labels are taken: of ``folders``, of ``files``, of both (``auto``: a file's word wins) or ``none``.
    """
    is_declaration = pl.col("kind").is_in(["classes", *_DECLARING])
    declared = annotations.filter(is_declaration & pl.lit(labels_from in {"auto", "files"}))
    lines = (
        with_class_names(annotations.filter(~pl.col("kind").is_in(_DECLARING)))
        .with_columns(rank=pl.col("kind").replace_strict(_RANK, return_dtype=pl.Int8))
        .with_row_index("line")
    )
    pairs = matched_images(rows, lines)
    matched = pairs.join(lines, on="line").join(rows.select("row", "orientation", "width_px", "height_px"), on="row")
    matched = matched.sort("row", "rank", "file", "line")
    merged = _merged(turned_boxes(matched), labels_from)
    merged = merged.join(_unturned(matched), on="row", how="left", maintain_order="left")
    folder = rows.select("row", folder=pl.col("folder_label") if labels_from in {"auto", "folders"} else pl.lit(None, pl.String))
    frame = folder.join(merged, on="row", how="left", maintain_order="left").with_columns(
        label=pl.coalesce("label", "folder"),
        labels=_union(pl.concat_list(pl.col("labels").fill_null([]), pl.col("folder"))),
    )
    frame = with_source_splits(frame.join(rows.select("row", "source"), on="row", maintain_order="left"))
    has_any = pl.any_horizontal(pl.col(name).is_not_null() for name in _MERGED)
    unmatched, strays = unmatched_lines(lines, pairs)
    return Labelling(
        frame=frame.filter(has_any).select("row", *_MERGED),
        unmatched=unmatched,
        unannotated=unannotated_images(rows, lines, pairs),
        strays=strays,
        empty_classes=_empty_classes(declared, frame),
    )


def label_blocks(
    blocks: Iterable[pl.DataFrame], annotations: pl.DataFrame, labels_from: LabelsFrom, target: Path
) -> tuple[Labelling, pl.LazyFrame]:
    """Return what ``label_images`` does, of occurrences that come a block at a time; what belongs to images lies in a file.

    Folders and names speak of one occurrence each; only where there are annotations must all be looked at together.

    Parameters
    ----------
    blocks : iterable of pl.DataFrame
        Occurrences by ``row``, as of ``label_images``.
    annotations, labels_from
        As of ``label_images``.
    target : Path
        Parquet file that is written: the lines of ``Labelling.frame``, by row, which is empty then.

    Returns
    -------
    (Labelling, pl.LazyFrame)
        What was found, and the lines of the file.
    """
    found = (
        (label_images(block, annotations, labels_from) for block in blocks)
        if annotations.is_empty()
        else iter([label_images(pl.concat(blocks), annotations, labels_from)])
    )
    first = next(found)
    columns = first.frame.to_arrow().schema
    with pq.ParquetWriter(target, columns, compression="zstd", compression_level=1) as file:
        for each in itertools.chain([first], found):
            for some in each.frame.iter_slices(_GROUP_ROWS):
                file.write_table(some.to_arrow().cast(columns))
    return dataclasses.replace(first, frame=first.frame.clear()), pl.scan_parquet(target, glob=False)


def _empty_classes(declared: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``file``, ``label``, ``kind`` of the classes that files declare and no image has; each once."""
    kind = pl.col("kind").replace_strict({"classes": "yolo", "categories": "coco", "names": "table"}, return_dtype=pl.String)
    each = declared.select("file", kind, label="labels").explode("label").drop_nulls("label").unique("label", keep="first")
    present = frame.select(label=pl.col("labels").explode()).drop_nulls()
    return each.join(present, on="label", how="anti").select("file", "label", "kind").sort("label")


def table_hints(parts: Sequence[Path]) -> pl.DataFrame:
    """Return what tables with embedded images say of their own rows, as ``toolkit.curation.annotations.ANNOTATION_SCHEMA``."""
    hints = ("label", "labels", "captions", "boxes", "metadata", "licence")
    has_mask = pl.col("hint_has_mask").fill_null(value=False)
    mask_locator = pl.col("locator").str.replace('"column": "image"', '"column": "mask"', literal=True)
    found = (
        scan_parts(parts)
        .filter(has_mask | pl.any_horizontal(pl.col(f"hint_{name}").is_not_null() for name in hints))
        .select(
            pl.col("source").alias("file"),
            pl.lit("table").alias("kind"),
            pl.col("source").alias("name"),
            pl.col("source").alias("target"),
            pl.lit(value=True).alias("is_displayed"),
            pl.when(has_mask).then(mask_locator).alias("mask_locator"),
            *(pl.col(f"hint_{name}").alias(name) for name in hints),
        )
    )
    rest = {name: kind for name, kind in ANNOTATION_SCHEMA.items() if name not in found.collect_schema()}
    filled = found.with_columns(pl.lit(None, kind).alias(name) for name, kind in rest.items())
    return filled.select(pl.col(name).cast(kind) for name, kind in ANNOTATION_SCHEMA.items()).collect(engine="streaming")


def _merged(matched: pl.DataFrame, labels_from: LabelsFrom) -> pl.DataFrame:
    """Return one line per image from all annotations that name it, the strongest first."""
    if labels_from in {"folders", "none"}:
        matched = matched.with_columns(label=pl.lit(None, pl.String), labels=pl.lit(None, pl.List(pl.String)))
    classes = pl.concat_list(pl.col("labels").fill_null([]), pl.col("label"))
    return (
        matched.group_by("row", maintain_order=True)
        .agg(
            label=pl.col("label").drop_nulls().first(),
            labels=classes.explode().drop_nulls().unique(),
            licence=pl.col("licence").drop_nulls().first(),
            mask_source=pl.col("file").filter(pl.col("mask_locator").is_not_null()).first(),
            mask_locator=pl.col("mask_locator").drop_nulls().first(),
            boxes=pl.col("boxes").explode().drop_nulls(),
            captions=pl.col("captions").explode().drop_nulls().unique(maintain_order=True),
            metadata=pl.col("metadata").explode().drop_nulls().unique(maintain_order=True),
        )
        .with_columns(pl.when(pl.col(name).list.len() > 0).then(name).alias(name) for name in ("captions", "boxes", "metadata"))
    )


def _unturned(matched: pl.DataFrame) -> pl.DataFrame:
    """Return ``row``, ``unturned`` of images that have boxes and no known size."""
    waiting = matched.filter(pl.col("width_px").is_null() & (pl.col("boxes").list.len() > 0))
    return waiting.group_by("row", maintain_order=True).agg(unturned=pl.struct(field.name for field in UNTURNED.fields))


def _union(classes: pl.Expr) -> pl.Expr:
    names = classes.list.drop_nulls().list.unique().list.sort()
    return pl.when(names.list.len() > 0).then(names)


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
