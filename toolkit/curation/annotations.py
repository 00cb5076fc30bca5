"""What annotation files say, as one frame: tables (CSV, TSV, JSON Lines), COCO JSON, captions in ``.txt`` sidecars.

Pure: bytes of an annotation file in, a frame out. Which images the lines belong to is found in ``labelling.py``.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ANNOTATION_SCHEMA", "ANNOTATION_SUFFIXES", "read_annotations", "read_captions"]

ANNOTATION_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
"""Endings of files that may hold annotations; which do is known once they are read."""

BOX_DTYPE: Final = pl.Struct(
    {"x_px": pl.Float32, "y_px": pl.Float32, "width_px": pl.Float32, "height_px": pl.Float32, "label": pl.String}
)
PAIR_DTYPE: Final = pl.Struct({"key": pl.String, "value": pl.String})

ANNOTATION_SCHEMA: Final = pl.Schema(
    {
        "file": pl.String(),  # source key of the annotation file
        "kind": pl.String(),  # table, coco or caption
        "name": pl.String(),  # file name as written, a path below the annotation file's folder
        "target": pl.String(),  # the source it names when that folder is taken at its word; for captions without its ending
        "label": pl.String(),
        "labels": pl.List(pl.String),
        "captions": pl.List(pl.String),
        "boxes": pl.List(BOX_DTYPE),
        "coded_width_px": pl.Int64(),  # size that the annotator saw, which tells whether boxes are turned already
        "coded_height_px": pl.Int64(),
        "metadata": pl.List(PAIR_DTYPE),
        "licence": pl.String(),
    }
)

_NAME: Final = ("file_name", "filename", "file", "image_path", "path", "image", "image_file")
_LABEL: Final = ("label", "class", "category", "class_name")
_LABELS: Final = ("labels", "classes", "categories", "tags")
_CAPTION: Final = ("caption", "captions", "text", "description")
_LICENCE: Final = ("licence", "license")
_SEPARATORS: Final = re.compile(r"[;|]")


def read_annotations(key: str, payload: bytes) -> pl.DataFrame | None:
    """Return what an annotation file says, one line per image it names; None when it is no annotation file.

    Parameters
    ----------
    key : str
        Source key of the file, such as ``photos/birds/metadata.csv``; its ending says how it is read.
    payload : bytes
        Its bytes. UTF-8 with or without a byte order mark, else Windows-1252.
    """
    suffix = posixpath.splitext(key)[1].lower()
    text = _text(payload)
    try:
        if suffix in {".csv", ".tsv"}:
            return _table(key, _delimited(text, "\t" if suffix == ".tsv" else ","))
        if suffix in {".jsonl", ".ndjson"}:
            return _table(key, [json.loads(line) for line in text.splitlines() if line.strip()])
        document = json.loads(text)
        return _coco(key, document) if isinstance(document, dict) else _table(key, document)
    except (ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError):
        return None  # a file of another purpose; it is counted as such, not lost


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        return payload.decode("cp1252", errors="replace")


def _delimited(text: str, separator: str) -> list[dict[str, Any]]:
    frame = pl.read_csv(io.BytesIO(text.encode()), separator=separator, infer_schema=False, truncate_ragged_lines=True)
    return frame.rename({name: name.strip() for name in frame.columns}).to_dicts()


def _frame(rows: Iterable[dict[str, Any]], key: str, kind: str) -> pl.DataFrame:
    folder = key[: max(key.rfind("/"), key.rfind("!")) + 1]
    filled = []
    for row in rows:
        name = posixpath.normpath(row["name"].replace("\\", "/")).lstrip("/")
        filled.append(
            dict.fromkeys(ANNOTATION_SCHEMA) | row | {"file": key, "kind": kind, "name": name, "target": _joined(folder, name)}
        )
    return pl.DataFrame(filled, schema=ANNOTATION_SCHEMA, orient="row")


def _joined(folder: str, name: str) -> str:
    """Return the source key of a name below a folder.

    Examples
    --------
    >>> _joined("raw/labels/", "../photos/a.jpg"), _joined("raw/a.zip!", "x/b.jpg")
    ('raw/photos/a.jpg', 'raw/a.zip!x/b.jpg')
    """
    container, mark, inner = folder.rpartition("!")
    return container + mark + posixpath.normpath(posixpath.join(inner, name))


def read_captions(files: Iterable[tuple[str, bytes]]) -> pl.DataFrame:
    """Return the captions of ``.txt`` sidecars: one per line that is not blank; a file without any gives no line.

    Parameters
    ----------
    files : iterable of (str, bytes)
        Source key and bytes of each sidecar.
    """
    rows = []
    for key, payload in files:
        captions = [line.strip() for line in _text(payload).splitlines() if line.strip()]
        if captions:
            stem = key[: -len(".txt")]
            rows.append({"file": key, "kind": "caption", "name": posixpath.basename(stem), "target": stem, "captions": captions})
    return pl.DataFrame([dict.fromkeys(ANNOTATION_SCHEMA) | row for row in rows], schema=ANNOTATION_SCHEMA, orient="row")


def _table(key: str, records: Sequence[dict[str, Any]]) -> pl.DataFrame | None:
    """Return the annotations of a table whose lines name a file each; other columns become metadata."""
    columns = {str(name): None for record in records for name in record}
    place = _column(columns, _NAME)
    if place is None:
        return None
    roles = {role: _column(columns, names) for role, names in _ROLES.items()}
    used = {place, *roles.values()}
    rows = []
    for record in records:
        if not record.get(place):
            continue
        rows.append(
            {
                "name": str(record[place]),
                "label": _plain(record.get(roles["label"] or "")),
                "labels": _several(record.get(roles["labels"] or "")),
                "captions": _several(record.get(roles["caption"] or ""), separated=False),
                "licence": _plain(record.get(roles["licence"] or "")),
                "metadata": [
                    {"key": name, "value": _plain(value)}
                    for name, value in record.items()
                    if name not in used and value is not None
                ]
                or None,
            }
        )
    return _frame(rows, key, "table")


_ROLES: Final = {"label": _LABEL, "labels": _LABELS, "caption": _CAPTION, "licence": _LICENCE}


def _column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column that plays a role, by the first of the role's names that is there."""
    by_name = {column.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _plain(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _several(value: object, *, separated: bool = True) -> list[str] | None:
    """Return a cell as a list: a JSON list as it is, a text cut at ``;`` and ``|`` if it is a list of classes."""
    if isinstance(value, list):
        return [text for text in map(_plain, value) if text] or None
    text = _plain(value)
    if text is None:
        return None
    return [part.strip() for part in _SEPARATORS.split(text) if part.strip()] if separated else [text]


def _coco(key: str, document: dict[str, Any]) -> pl.DataFrame | None:
    """Return the boxes, classes and captions of a COCO document, one line per image it lists.

    Source: cocodataset.org, "Data format": ``bbox`` is [x, y, width, height] in pixels, origin top left.
    """
    if not {"images", "annotations"} <= document.keys():
        return None
    classes = {entry["id"]: str(entry["name"]) for entry in document.get("categories", [])}
    licences = {entry["id"]: str(entry["name"]) for entry in document.get("licenses", []) if "name" in entry}
    rows: dict[Any, dict[str, Any]] = {}
    for image in document["images"]:
        rows[image["id"]] = {
            "name": str(image["file_name"]),
            "coded_width_px": image.get("width"),
            "coded_height_px": image.get("height"),
            "licence": licences.get(image.get("license")),
            "labels": [],
            "captions": [],
            "boxes": [],
        }
    for annotation in document["annotations"]:
        if row := rows.get(annotation.get("image_id")):
            _add_coco(row, annotation, classes)
    for row in rows.values():
        names = sorted(set(row["labels"]))
        row |= {"labels": names or None, "label": names[0] if len(names) == 1 else None}
        row |= {"captions": row["captions"] or None, "boxes": row["boxes"] or None}
    return _frame(rows.values(), key, "coco")


def _add_coco(row: dict[str, Any], annotation: dict[str, Any], classes: dict[Any, str]) -> None:
    label = classes.get(annotation.get("category_id"))
    if label is not None:
        row["labels"].append(label)
    if caption := annotation.get("caption"):
        row["captions"].append(str(caption))
    box = annotation.get("bbox")
    if isinstance(box, list) and len(box) == 4:
        x_px, y_px, width_px, height_px = map(float, box)
        row["boxes"].append({"x_px": x_px, "y_px": y_px, "width_px": width_px, "height_px": height_px, "label": label})
