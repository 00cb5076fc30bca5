"""One image as others' formats want it: a name for its file, and what is said of it as plain JSON."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

__all__ = ["file_suffix", "objects", "safe_folder", "told"]

_SUFFIXES: Final = {"jpeg": "jpg", "tiff": "tif", "jpeg2000": "jp2"}
_TOLD: Final = (
    "image_id", "sha256", "source", "format", "width_px", "height_px", "mode", "bits", "orientation", "frame_count", "size_bytes",
    "encoding", "label", "labels", "captions", "boxes", "licence", "split", "duplicate_group",
)  # fmt: skip
"""What a format that carries JSON is told of an image."""


def file_suffix(row: dict[str, Any]) -> str:
    """Return the ending of an image's file, as its format is usually written, without a dot.

    Examples
    --------
    >>> file_suffix({"format": "jpeg"}), file_suffix({"format": "png"}), file_suffix({"format": None})
    ('jpg', 'png', 'bin')
    """
    kind = row["format"] or "bin"
    return re.sub(r"[^a-z0-9]", "", _SUFFIXES.get(kind, kind)) or "bin"


def told(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of an image as plain JSON types, without what is not known; metadata as a mapping."""
    known = {name: row[name] for name in _TOLD if row.get(name) not in (None, [])}
    pairs = row.get("metadata") or []
    return known | ({"metadata": {pair["key"]: pair["value"] for pair in pairs}} if pairs else {})


def objects(row: dict[str, Any]) -> dict[str, list[Any]] | None:
    """Return the boxes of an image as Hugging Face writes them: ``bbox`` of x, y, width, height in pixels, and ``categories``.

    Examples
    --------
    >>> objects({"boxes": [{"x_px": 1.0, "y_px": 2.0, "width_px": 3.0, "height_px": 4.0, "label": "cat"}]})
    {'bbox': [[1.0, 2.0, 3.0, 4.0]], 'categories': ['cat']}
    """
    boxes = row.get("boxes")
    if not boxes:
        return None
    sides = ("x_px", "y_px", "width_px", "height_px")
    return {"bbox": [[box[side] for side in sides] for box in boxes], "categories": [box["label"] for box in boxes]}


def safe_folder(label: str) -> str:
    """Return a label as the name of one folder on any filesystem; different labels have different names.

    Examples
    --------
    >>> safe_folder("cat"), safe_folder("a/b"), safe_folder(".."), safe_folder("Grün 1")
    ('cat', 'a%2Fb', '%2E%2E', 'Grün 1')
    """
    kept = "".join(letter if letter.isalnum() or letter in " _-." else quote(letter, safe="") for letter in label)
    return re.sub(r"^\.+|[. ]+$", lambda dots: "".join(f"%{ord(letter):02X}" for letter in dots[0]), kept) or "%00"
