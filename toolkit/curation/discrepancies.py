"""What does not fit together in a batch, by name: annotations without image and the like, copies of other labels, bridges."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import polars as pl

from toolkit.curation.identities import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.curation.assembly import Batch
    from toolkit.curation.labelling import Labelling
    from toolkit.curation.masks import Misfit
    from toolkit.dataset.reading import Dataset

__all__ = [
    "bridge_list",
    "column_list",
    "finding_counts",
    "keyless_list",
    "label_conflicts",
    "misfit_list",
    "unmatched_list",
    "without_masks",
]


def unmatched_list(labelling: Labelling, unread: Sequence[str], late: pl.DataFrame) -> pl.DataFrame:
    """Return annotations and classes without image, images without annotation, files not understood, as ``findings.FINDINGS``.

    Parameters
    ----------
    labelling : Labelling
        What the annotations of the batch came to.
    unread : sequence of str
        Annotation files that no reader understands.
    late : pl.DataFrame
        Annotations that came after their image: it was read by an earlier batch, and stays as it was.
    """
    annotations = [
        lines.select(problem=pl.lit(problem), file="file", target="target", kind="kind")
        for problem, lines in (("no_image", labelling.unmatched), ("late", late))
    ]
    nothing = pl.lit(None, pl.String)
    images = labelling.unannotated.select(problem=pl.lit("no_annotation"), file=nothing, target="source", kind=nothing)
    files = pl.DataFrame({"file": unread}, schema={"file": pl.String})
    damaged = files.select(problem=pl.lit("unread"), file="file", target=nothing, kind=nothing)
    empty = labelling.empty_classes.select(problem=pl.lit("empty_class"), file="file", target="label", kind="kind")
    return pl.concat([*annotations, images, damaged, empty])


def column_list(columns: pl.DataFrame) -> pl.DataFrame:
    """Return the columns (``file``, ``target``) of tables that hold bytes and are not read, as ``findings.FINDINGS``."""
    return columns.select(problem=pl.lit("unread_column"), file="file", target="target", kind=pl.lit("table"))


def misfit_list(batch: Batch | None, misfits: Sequence[Misfit]) -> pl.DataFrame:
    """Return the masks that did not fit their image in a batch, as ``findings.FINDINGS``; without a batch there are none."""
    found = pl.DataFrame(
        [(misfit.row_index, misfit.problem, misfit.source, "mask") for misfit in misfits],
        schema={"row": pl.UInt32, "problem": pl.String, "file": pl.String, "kind": pl.String},
        orient="row",
    )
    named = found.with_columns(source="file").clear() if batch is None else batch.sources(found)
    return named.select("problem", "file", target="source", kind="kind")


def keyless_list(batch: Batch, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the kept images that lack the key by which images are bound to one split, as ``findings.FINDINGS``.

    Parameters
    ----------
    batch : Batch
        What became of them.
    rows : pl.DataFrame
        ``row`` and, where the recipe names a key, ``split_key``.
    """
    if "split_key" not in rows.columns:
        return pl.DataFrame(schema=dict.fromkeys(("problem", "file", "target", "kind"), pl.String))
    lacking = rows.filter(pl.col("split_key").is_null()).select("row")
    kept = batch.outcomes.select("row", "state").filter(pl.col("state") == "kept").drop("state")
    kept = batch.sources(kept.join(lacking, on="row", how="semi", maintain_order="left"))
    nothing = pl.lit(None, pl.String)
    return kept.select(problem=pl.lit("no_group_key"), file=nothing, target="source", kind=nothing)


def bridge_list(batch: Batch, bridges: pl.DataFrame) -> pl.DataFrame:
    """Return the images that lie near to earlier ones of another split, as ``findings.FINDINGS``."""
    states = batch.outcomes.select("row", "state").join(bridges.select("row"), on="row", how="semi")
    named = batch.sources(states.select("row", is_kept=pl.col("state") == "kept"))
    columns = ("row", "source", "image_id", "is_kept")
    return spelled(bridges).join(named.select(columns), on="row", how="left", maintain_order="left").drop("row")


def without_masks(batch: Batch, misfits: Sequence[Misfit]) -> Batch:
    """Return a batch whose catalog names no mask that did not fit."""
    if not misfits:
        return batch
    is_misfit = pl.col("row").is_in([misfit.row_index for misfit in misfits])
    mask_source = pl.when(~is_misfit).then("mask_source")
    return dataclasses.replace(batch, labels=batch.labels.lazy().with_columns(mask_source=mask_source))


def label_conflicts(batch: Batch, before: Dataset | None) -> pl.DataFrame:
    """Return the copies whose labels are not those of the image that is kept in their place.

    The kept image's own word holds: the labels of its copies stay with their lines of the catalog, and are listed here.
    """
    labels = batch.labels.lazy().select("row", "label", "labels").filter(pl.col("labels").is_not_null())
    duplicates = batch.outcomes.filter(pl.col("state") == "duplicate").select("row", of="duplicate_of")
    copies = duplicates.lazy().join(labels, on="row", how="inner", maintain_order="left").collect()
    kept = pl.col("label").alias("kept_label"), pl.col("labels").alias("kept_labels")
    is_first = (pl.col("state") == "kept") & pl.col("image_id").is_in(copies["of"].unique().implode())
    here = batch.outcomes.select("row", "state", "image_id").filter(is_first)
    known = spelled(here.lazy().join(labels, on="row", how="left").select("image_id", *kept).collect())
    copies = batch.sources(copies).drop("row", "image_id").rename({"of": "image_id"})
    copies = spelled(copies)
    copied = copies.select("image_id").unique()
    if before is not None and not copies.is_empty():
        earlier = before.scan("images").select("image_id", *kept).join(copied.lazy(), on="image_id", how="semi")
        known = pl.concat([known, earlier.collect(engine="streaming").select(known.columns)])
    joined = copies.join(known.unique("image_id", keep="any"), on="image_id", how="left", maintain_order="left")
    differs = pl.col("label").ne_missing(pl.col("kept_label")) | _text("labels").ne_missing(_text("kept_labels"))
    return joined.filter(differs).select("image_id", "kept_label", "kept_labels", "source", "label", "labels")


def _text(column: str) -> pl.Expr:
    return pl.col(column).list.join("\0")


def finding_counts(batch: Batch, findings: Mapping[str, pl.DataFrame]) -> dict[str, float]:
    """Return what a reader of the batch should know, as counts."""
    kept = batch.outcomes.select("row", "state").filter(pl.col("state") == "kept").select("row")
    labelled = batch.labels.lazy().filter(pl.col("labels").is_not_null()).select("row").collect(engine="streaming")
    problems = dict(findings["unmatched"]["problem"].value_counts().iter_rows())
    return {
        "late_bridge_count": float(findings["bridges"]["image_id"].n_unique()),
        "ungrouped_image_count": float(problems.get("no_group_key", 0)),
        "unlabelled_image_count": float(kept.join(labelled, on="row", how="anti").height),
        "unmatched_annotation_count": float(problems.get("no_image", 0)),
        "misfit_mask_count": float(problems.get("mask_size", 0) + problems.get("mask_unreadable", 0)),
        "unannotated_image_count": float(problems.get("no_annotation", 0)),
        "unread_column_count": float(problems.get("unread_column", 0)),
        "late_annotation_count": float(problems.get("late", 0)),
        "unread_annotation_count": float(problems.get("unread", 0)),
        "label_conflict_count": float(findings["conflicts"].height),
    }
