"""Lists of what a batch found and did not use, beside the tables: names, for people to look into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.dataset.object_paths import readable
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from toolkit.dataset.reading import Dataset
    from toolkit.dataset.tables import DatasetStore

__all__ = ["FINDINGS", "read_finding", "standing", "write_finding"]

FINDINGS: Final = {
    "unmatched": pl.Schema(
        {
            # no_image; no_annotation; late: its image came in an earlier batch, and stays as it was; mask_size; mask_unreadable;
            # boxes_lost: an image that came in when its refusal was tried again, and whose boxes could not be turned with it;
            # empty_class: a class that an annotation file declares and no image of the batch has;
            # unread: a file that looks like an annotation and that no reader understands; no_group_key: an image that lacks the
            # metadata key by which the recipe binds images to one split
            "problem": pl.String(),
            "file": pl.String(),  # the annotation file; null for an image without annotation
            "target": pl.String(),  # the source it names; the image that has no annotation; the class
            "kind": pl.String(),  # of the annotation: table, coco, voc, yolo, document, class, caption, mask
        }
    ),
    "conflicts": pl.Schema(
        {
            "image_id": pl.String(),  # the image that is kept
            "kept_label": pl.String(),
            "kept_labels": pl.List(pl.String),
            "source": pl.String(),  # a copy of it, which says something else
            "label": pl.String(),
            "labels": pl.List(pl.String),
        }
    ),
    "classes": pl.Schema(
        {
            "file": pl.String(),  # a table with images
            "column": pl.String(),  # its column of class numbers; of boxes, with the part: objects.category
            "number": pl.Int64(),
            "label": pl.String(),  # what the number stands for, whether an image has it or not
        }
    ),
    "bridges": pl.Schema(
        {
            "image_id": pl.String(),  # an image of the batch that is near to others in another split than its own
            "source": pl.String(),
            "duplicate_group": pl.String(),  # the group that it joined
            "split": pl.String(),  # where it went, or would have gone
            "other_group": pl.String(),  # the group that it is near to there; its own where that lies in several splits
            "other_split": pl.String(),
            "is_kept": pl.Boolean(),  # false: left out of train, as the recipe said
        }
    ),
}
"""Columns of each list."""


def write_finding(store: DatasetStore, batch: str, name: str, frame: pl.DataFrame) -> None:
    """Write a list of a batch; an empty one is not written."""
    if frame.is_empty():
        return
    folder = store.private_path / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{batch[:16]}-{name}.tmp"
    frame.select(pl.col(column).cast(kind) for column, kind in FINDINGS[name].items()).write_parquet(temporary)
    temporary.replace(folder / f"{batch[:16]}-{name}.parquet")


def read_finding(dataset: Dataset, name: str) -> pl.DataFrame:
    """Return a list of all batches up to a dataset's version, with the ``batch`` that each line is of.

    Parameters
    ----------
    dataset : Dataset
        The dataset, opened at a version.
    name : str
        ``unmatched`` (annotations without image, images without annotation, annotation files that cannot be read,
        images without the key that binds images to one split), ``conflicts`` (copies of an image whose labels differ),
        ``classes`` (what tables say of the numbers of their labels) or
        ``bridges`` (images near to others in another split; of the last ``redecide`` and what came after it).

    Raises
    ------
    UsageError
        If there is no such list.
    """
    if name not in FINDINGS:
        raise UsageError(f"there is no list '{name}'; the lists are {', '.join(FINDINGS)}")
    frames = [FINDINGS[name].to_frame().with_columns(batch=pl.lit(None, pl.String))]
    for state in dataset.store.states():
        if name == "bridges" and state.kind == "redecide" and state.version <= dataset.version:
            frames = frames[:1]  # groups were formed anew, and what straddles since is listed whole
        path = dataset.store.private_path / "reports" / f"{state.batch[:16]}-{name}.parquet"
        if state.version <= dataset.version and path.exists():
            frames.append(pl.read_parquet(readable(path), glob=False).with_columns(batch=pl.lit(state.batch)))
    return pl.concat(frames)


def standing(dataset: Dataset, name: str, found: pl.DataFrame) -> pl.DataFrame:
    """Return the lines of a list that still hold at a dataset's version, each once, with the first batch that it is of.

    Every batch looks at all annotations among its sources, and tells what it finds: again what an earlier one told, what a
    later one settles (its image comes), and classes of which only earlier batches have images.

    Parameters
    ----------
    dataset : Dataset
        The dataset, opened at a version.
    name : str
        The list.
    found : pl.DataFrame
        The list, as ``read_finding`` returns it.
    """
    once = found.unique(list(FINDINGS[name]), keep="first", maintain_order=True)
    if name != "unmatched" or once.is_empty():
        return once
    came = dataset.scan("catalog").select(target="source", problem=pl.lit("no_image"))
    labels = pl.concat_list(pl.col("label"), pl.col("labels").fill_null([])).explode()
    has_images = dataset.scan("images").select(target=labels, problem=pl.lit("empty_class"))
    settled = [
        lines.join(once.lazy().filter(pl.col("problem") == kind).select("target"), on="target", how="semi").unique()
        for kind, lines in (("no_image", came), ("empty_class", has_images))
    ]
    gone = pl.concat(settled).collect(engine="streaming")
    return once.join(gone, on=["target", "problem"], how="anti", maintain_order="left")
