"""YOLO: a text file per image, a line per box in shares of the image; class numbers whose names stand in another file."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import yaml

from toolkit.curation.annotations.lines import folder_of, sidecar_stems
from toolkit.curation.annotations.objects import nested_text

if TYPE_CHECKING:
    from toolkit.curation.annotations.lines import Line

__all__ = ["class_lines", "is_class_list", "with_class_names", "yolo_lines"]

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MAX_CLASSES: Final = 100_000
_BOX_VALUES: Final = 6
"""Values of a line that holds a box alone: class, centre, width, height, confidence."""
_KEPT_LETTERS: Final = 2**16
_ROUNDING: Final = 1e-3
"""How far outside the image a share may lie and still be taken for rounding."""


def is_class_list(key: str) -> bool:
    """Return whether a file lists class names, one a line, by its name.

    Examples
    --------
    >>> is_class_list("yolo/labels/classes.txt"), is_class_list("data/obj.names"), is_class_list("raw/a.txt")
    (True, True, False)
    """
    base = key[len(folder_of(key)) :].lower()
    return base == "classes.txt" or base.endswith(".names")


def class_lines(key: str, text: str) -> list[Line] | None:
    """Return the class names in a list of them or in a ``data.yaml``; None for a file of another purpose."""
    if is_class_list(key):
        names = [line.strip() for line in text.splitlines()]
        while names and not names[-1]:
            names.pop()
    else:
        try:
            document = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError) as fault:
            raise ValueError(f"no YAML: {fault}") from fault
        listed = document.get("names") if isinstance(document, dict) else None
        if isinstance(listed, dict) and all(isinstance(number, int) and 0 <= number < _MAX_CLASSES for number in listed):
            names = [str(listed.get(number, number)) for number in range(max(listed, default=-1) + 1)]
        elif isinstance(listed, list):
            names = [str(name) for name in listed]
        else:
            return None
    return [{"file": key, "kind": "classes", "labels": names}] if 0 < len(names) <= _MAX_CLASSES else None


def yolo_lines(key: str, text: str) -> list[Line] | None:
    """Return the line of a YOLO file; None if it is text of another kind, such as a caption.

    A line is a class number and then: centre, width and height of a box (and its confidence); or the corners of a
    polygon, whose bounding box is taken; or a box and its key points. All are shares of the image *as it is
    displayed*: tools that draw and read such files turn the image first. Polygons and key points are kept as the metadata
    ``yolo_points``: a JSON list of each such line's numbers, with the number of its box.

    Source: Ultralytics documentation, "Object Detection/Instance Segmentation/Pose Datasets"; ``exif_size`` in
    ``ultralytics/data/utils.py``.

    Raises
    ------
    ValueError
        If some lines are boxes and others are not: then the file is damaged, and no caption.
    """
    rows = [line.split() for line in text.splitlines() if line.strip()]
    numeric = [len(row) >= 5 and all(_NUMBER.fullmatch(value) for value in row) for row in rows]
    if not any(numeric):
        return None
    if not all(numeric):
        raise ValueError("some of its lines are boxes and others are not")
    boxes = [_box(row) for row in rows]
    line: Line = {"file": key, "kind": "yolo", "stems": sidecar_stems(key), "boxes": boxes, "is_relative": True}
    kept = [{"box": number, "shares": list(map(float, row[1:]))} for number, row in enumerate(rows) if len(row) > _BOX_VALUES]
    points = nested_text(kept, _KEPT_LETTERS)
    return [line if points is None else line | {"metadata": [{"key": "yolo_points", "value": points}]}]


def _box(row: list[str]) -> dict[str, Any]:
    """Return the box of a line in shares of the image, its class number as label."""
    number, values = float(row[0]), [float(value) for value in row[1:]]
    if number != int(number) or not 0 <= number < _MAX_CLASSES:
        raise ValueError(f"'{row[0]}' is no class number")
    if len(values) > 5 and len(values) % 2 == 0 and not _has_key_points(values):
        xs, ys = values[0::2], values[1::2]
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    else:
        x, y, width, height = values[:4]
        left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        xs, ys = [x, width], [y, height]
    if min(*xs, *ys) < -_ROUNDING or max(*xs, *ys) > 1 + _ROUNDING or not (right > left and bottom > top):
        raise ValueError(f"'{' '.join(row[:5])}' is no box in shares of an image")
    return {"x_px": left, "y_px": top, "width_px": right - left, "height_px": bottom - top, "label": str(int(number))}


def _has_key_points(values: list[float]) -> bool:
    """Return whether a box is followed by key points, each with its visibility (0, 1 or 2), rather than a polygon given."""
    return (len(values) - 4) % 3 == 0 and all(value in {0, 1, 2} for value in values[6::3])


def with_class_names(lines: pl.DataFrame) -> pl.DataFrame:
    """Return annotation lines with the class numbers of YOLO files as names, without the lines that only name classes.

    Names hold for all files in their folder and below it, unless a nearer folder has names of its own; a folder whose
    names stand nowhere above it takes the only names there are below its source.
    """
    classes = lines.filter(pl.col("kind") == "classes").sort(pl.col("file").str.contains(r"(?i)\.ya?ml$"), "file")
    rest = lines.filter(pl.col("kind") != "classes")
    boxed = rest.with_row_index("place").filter(pl.col("kind") == "yolo")
    if boxed.is_empty():
        return rest
    folders = boxed.select(folder=_folder()).unique()["folder"]
    tables = {folder_of(file): names for file, names in classes.select("file", "labels").iter_rows()}
    found = {folder: names for folder in folders if (names := _nearest(folder, tables)) is not None}
    named = pl.DataFrame(
        [(folder, str(number), name) for folder, names in found.items() for number, name in enumerate(names) if name],
        schema={"folder": pl.String, "label": pl.String, "class_name": pl.String},
        orient="row",
    )
    each = boxed.select("place", folder=_folder(), box="boxes").explode("box").with_columns(label=_part("label"))
    each = each.join(named, on=["folder", "label"], how="left", maintain_order="left")
    label = pl.coalesce("class_name", "label")
    parts = [_part(name) for name in ("x_px", "y_px", "width_px", "height_px")]
    merged = each.group_by("place", maintain_order=True).agg(boxes=pl.struct(*parts, label=label), labels=label.unique().sort())
    single = pl.when(pl.col("labels").list.len() == 1).then(pl.col("labels").list.first())
    named_lines = boxed.drop("boxes", "labels", "label").join(merged, on="place", how="left").with_columns(label=single)
    return pl.concat([rest.filter(pl.col("kind") != "yolo"), named_lines.select(rest.columns)])


def _folder() -> pl.Expr:
    return pl.col("file").str.extract(r"^(.*[/!])", 1).fill_null("")


def _part(name: str) -> pl.Expr:
    return pl.col("box").struct.field(name)


def _nearest(folder: str, tables: dict[str, list[str]]) -> list[str] | None:
    """Return the class names that hold in a folder."""
    container, mark, inner = folder.rpartition("!")
    while True:
        if (names := tables.get(container + mark + (f"{inner.rstrip('/')}/" if inner else ""))) is not None:
            return names
        if not inner:
            break
        inner = posixpath.dirname(inner.rstrip("/"))
    source = folder.split("/", 1)[0]
    below = [names for place, names in tables.items() if place.split("/", 1)[0] == source]
    return below[0] if len(below) == 1 else None
