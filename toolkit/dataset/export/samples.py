"""What is said of one image as plain JSON, as others' formats want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["objects", "told", "write_file"]

_TOLD: Final = (
    "image_id", "sha256", "source", "format", "width_px", "height_px", "mode", "bits", "orientation", "frame_count", "size_bytes",
    "encoding", "label", "labels", "captions", "boxes", "licence", "split", "duplicate_group",
)  # fmt: skip
"""What a format that carries JSON is told of an image."""


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


def write_file(path: Path, payload: bytes) -> None:
    """Write a file, with the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
