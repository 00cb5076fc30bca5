"""Which image each annotation belongs to, merged into one label, captions and boxes per image; what found no partner is counted.

Boxes are turned with their image (``boxes.py``), and metadata is dealt out by images on the disk (``dealing.py``).
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, cast

import polars as pl
import pyarrow.parquet as pq

from toolkit.curation.annotations import ANNOTATION_SCHEMA, BOX_DTYPE, PAIR_DTYPE, with_class_names
from toolkit.curation.boxes import turned_boxes
from toolkit.curation.dealing import dealt
from toolkit.curation.matching import matched_images, unannotated_images, unmatched_lines
from toolkit.curation.parts import scan_parts
from toolkit.curation.source_splits import with_source_splits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["UNTURNED", "Labelling", "label_blocks", "label_images", "table_hints"]

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
    labelling, told = _joined(rows, annotations, labels_from)
    lines = annotations.select("metadata").with_row_index("note")
    said = told.join(lines, on="note").select("row", "place", "metadata")
    return dataclasses.replace(labelling, frame=_finished(labelling.frame, said, rows))


def _joined(rows: pl.DataFrame, annotations: pl.DataFrame, labels_from: LabelsFrom) -> tuple[Labelling, pl.DataFrame]:
    """Return what is known of each image but for its metadata; and the lines of that in order: ``row``, ``place``, ``note``."""
    is_declaration = pl.col("kind").is_in(["classes", *_DECLARING])
    declared = annotations.filter(is_declaration & pl.lit(labels_from in {"auto", "files"}))
    narrow = annotations.drop("metadata").with_row_index("note")
    lines = (
        with_class_names(narrow.filter(~pl.col("kind").is_in(_DECLARING)))
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
    unmatched, strays = unmatched_lines(lines, pairs)
    labelling = Labelling(
        frame=frame,
        unmatched=unmatched,
        unannotated=unannotated_images(rows, lines, pairs),
        strays=strays,
        empty_classes=_empty_classes(declared, frame),
    )
    return labelling, matched.select("row", "note").with_row_index("place")


def _finished(frame: pl.DataFrame, said: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the images that anything is known of, with what is ``said`` of them (``row``, ``place``, ``metadata``)."""
    pairs = pl.col("metadata").cast(pl.List(PAIR_DTYPE)).explode().drop_nulls().unique(maintain_order=True)
    metadata = (
        said.sort("place").group_by("row", maintain_order=True).agg(metadata=pairs).filter(pl.col("metadata").list.len() > 0)
    )
    frame = frame.join(metadata, on="row", how="left", maintain_order="left")
    frame = with_source_splits(frame.join(rows.select("row", "source"), on="row", maintain_order="left"))
    has_any = pl.any_horizontal(pl.col(name).is_not_null() for name in _MERGED)
    return frame.filter(has_any).select("row", *_MERGED)


def label_blocks(
    blocks: Iterable[pl.DataFrame],
    annotations: pl.DataFrame,
    labels_from: LabelsFrom,
    target: Path,
    metadata: Iterable[pl.Series] = (),
) -> tuple[Labelling, pl.LazyFrame]:
    """Return what ``label_images`` does, of occurrences that come a block at a time; what belongs to images lies in a file.

    Folders and names speak of one occurrence each; only where there are annotations must all be looked at together, and of
    those all but the metadata, which is dealt out by images on the disk.

    Parameters
    ----------
    blocks : iterable of pl.DataFrame
        Occurrences by ``row``, as of ``label_images``.
    annotations, labels_from
        As of ``label_images``.
    target : Path
        Parquet file that is written: the lines of ``Labelling.frame``, by row, which is empty then.
    metadata : iterable of pl.Series
        That of the first lines, in their order and some of them at a time, where ``annotations`` have none.

    Returns
    -------
    (Labelling, pl.LazyFrame)
        What was found, and the lines of the file.
    """
    if annotations.is_empty():
        found = (label_images(block, annotations, labels_from) for block in blocks)
        first = next(found)
        frames: Iterator[pl.DataFrame] = (each.frame for each in itertools.chain([first], found))
    else:
        rows = pl.concat(blocks)
        first, told = _joined(rows, annotations, labels_from)
        frames = _in_shares(first.frame, told, rows, _all_metadata(annotations, metadata), target.parent)
    none = pl.DataFrame(schema={"row": first.frame.schema["row"], **_MERGED})
    columns = none.to_arrow().schema
    with pq.ParquetWriter(target, columns, compression="zstd", compression_level=1) as file:
        for frame in frames:
            for some in frame.iter_slices(_GROUP_ROWS):
                file.write_table(some.to_arrow().cast(columns))
    return dataclasses.replace(first, frame=none), pl.scan_parquet(target, glob=False)


def _in_shares(
    frame: pl.DataFrame, told: pl.DataFrame, rows: pl.DataFrame, metadata: Iterable[pl.Series], spill: Path
) -> Iterator[pl.DataFrame]:
    row_count = cast("int", rows["row"].max() or 0) + 1
    for first, end, said in dealt(told, metadata, row_count, spill):
        is_own = pl.col("row").is_between(first, end, closed="left")
        yield _finished(frame.filter(is_own), said, rows.filter(is_own))


def _all_metadata(annotations: pl.DataFrame, metadata: Iterable[pl.Series]) -> Iterator[pl.Series]:
    """Yield the metadata of all lines: that of the first from where it lies, and of the rest from the lines themselves."""
    count = 0
    for said in metadata:
        count += len(said)
        yield said
    yield annotations["metadata"].slice(count)


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
        )
        .with_columns(pl.when(pl.col(name).list.len() > 0).then(name).alias(name) for name in ("captions", "boxes"))
    )


def _unturned(matched: pl.DataFrame) -> pl.DataFrame:
    """Return ``row``, ``unturned`` of images that have boxes and no known size."""
    waiting = matched.filter(pl.col("width_px").is_null() & (pl.col("boxes").list.len() > 0))
    return waiting.group_by("row", maintain_order=True).agg(unturned=pl.struct(field.name for field in UNTURNED.fields))


def _union(classes: pl.Expr) -> pl.Expr:
    names = classes.list.drop_nulls().list.unique().list.sort()
    return pl.when(names.list.len() > 0).then(names)
