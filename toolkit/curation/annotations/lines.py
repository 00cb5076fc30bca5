"""The lines that every kind of annotation file is turned into, and how a line names its image."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ANNOTATION_SCHEMA", "BOX_DTYPE", "PAIR_DTYPE", "Line", "annotation_frame", "folder_of", "joined", "sidecar_stems"]

Line = dict[str, Any]
"""One line of ``ANNOTATION_SCHEMA``, without the columns that are null."""

BOX_DTYPE: Final = pl.Struct(
    {"x_px": pl.Float32, "y_px": pl.Float32, "width_px": pl.Float32, "height_px": pl.Float32, "label": pl.String}
)
PAIR_DTYPE: Final = pl.Struct({"key": pl.String, "value": pl.String})

ANNOTATION_SCHEMA: Final = pl.Schema(
    {
        "file": pl.String(),  # source key of the annotation file
        "kind": pl.String(),  # table, coco, voc, yolo, document, class, caption; or names of no image: classes, categories, names
        "name": pl.String(),  # file name as written, a path below the annotation file's folder
        "target": pl.String(),  # the source it names when that folder is taken at its word
        "stems": pl.List(pl.String),  # of a sidecar: sources without their ending that it may belong to, the likeliest first
        "label": pl.String(),
        "labels": pl.List(pl.String),
        "captions": pl.List(pl.String),
        "boxes": pl.List(BOX_DTYPE),
        "is_relative": pl.Boolean(),  # whether boxes are shares of the displayed image, not pixels of the file
        "is_displayed": pl.Boolean(),  # whether boxes are in pixels of the display already
        "coded_width_px": pl.Int64(),  # size that the annotator saw, which tells whether boxes are turned already
        "coded_height_px": pl.Int64(),
        "metadata": pl.List(PAIR_DTYPE),
        "licence": pl.String(),
        "mask_locator": pl.String(),  # JSON by which the bytes of a mask are found
    }
)

_IMAGE_FOLDERS: Final = ("images", "JPEGImages", "Images", "imgs", "img", "image")
_ANNOTATION_FOLDERS: Final = frozenset({"labels", "annotations", "annotation", "label", "captions", "xmls", "xml", "txt", "json"})
_NUMBER: Final = re.compile(r"#\d+$")


def annotation_frame(lines: Iterable[Line]) -> pl.DataFrame:
    """Return lines as a frame of ``ANNOTATION_SCHEMA``."""
    empty: Line = dict.fromkeys(ANNOTATION_SCHEMA)
    return pl.DataFrame([empty | line for line in lines], schema=ANNOTATION_SCHEMA, orient="row")


def folder_of(key: str) -> str:
    """Return the folder (or archive) that a source lies in, with the mark that ends it.

    Examples
    --------
    >>> folder_of("raw/a/b.jpg"), folder_of("raw/a.zip!b.jpg")
    ('raw/a/', 'raw/a.zip!')
    """
    return key[: max(key.rfind("/"), key.rfind("!")) + 1]


def joined(folder: str, name: str) -> str:
    """Return the source key of a name below a folder.

    Examples
    --------
    >>> joined("raw/labels/", "../photos/a.jpg"), joined("raw/a.zip!", "x/b.jpg")
    ('raw/photos/a.jpg', 'raw/a.zip!x/b.jpg')
    """
    container, mark, inner = folder.rpartition("!")
    return container + mark + posixpath.normpath(posixpath.join(inner, name))


def sidecar_stems(key: str) -> list[str]:
    """Return where the image of a sidecar may lie, without its ending: beside it, or in the folder of images beside its own.

    Source: Ultralytics, ``img2label_paths`` (the last ``images`` in the path of an image becomes ``labels``); PASCAL VOC
    development kit (``Annotations/x.xml`` of ``JPEGImages/x.jpg``).

    Examples
    --------
    >>> sidecar_stems("raw/a.b.txt")
    ['raw/a.b']
    >>> sidecar_stems("raw/labels/train/a.txt")[:2]
    ['raw/labels/train/a', 'raw/images/train/a']
    >>> sidecar_stems("s.tar!0001.txt#2")
    ['s.tar!0001#2']
    """
    folder, base = folder_of(key), key[len(folder_of(key)) :]
    number = _NUMBER.search(base) if "!" in key else None
    stem = posixpath.splitext(base[: number.start()] if number else base)[0] + (number.group() if number else "")
    container, mark, inner = folder.rpartition("!")
    parts = inner.split("/")
    stems = [folder + stem]
    place = next((at for at in range(len(parts) - 1, -1, -1) if parts[at].lower() in _ANNOTATION_FOLDERS), None)
    if place is not None:
        beside = ("/".join([*parts[:place], images, *parts[place + 1 :]]) for images in _IMAGE_FOLDERS)
        stems += [container + mark + folder_beside + stem for folder_beside in beside]
    return stems
