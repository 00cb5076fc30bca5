"""COCO documents: boxes, classes and captions of the images they list; outlines and key points as they are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from toolkit.curation.annotations.objects import nested_text
from toolkit.curation.annotations.tables import named

if TYPE_CHECKING:
    from toolkit.curation.annotations.lines import Line

__all__ = ["coco_lines", "is_coco"]


_KEPT: Final = ("segmentation", "keypoints")
"""Parts of an annotation that are no box, label or caption, and are kept as metadata."""

_KEPT_LETTERS: Final = 2**16


def is_coco(document: dict[str, Any]) -> bool:
    """Return whether a document has the parts of a COCO one."""
    return {"images", "annotations"} <= document.keys()


def coco_lines(key: str, document: dict[str, Any]) -> list[Line]:
    """Return the boxes, classes and captions of a COCO document, one line per image it lists, and one of all classes it names.

    Polygons, run lengths and key points become metadata (``coco_segmentation``, ``coco_keypoints``): a JSON list of what
    the document says, each with the number of its box among those of the image. They are in pixels as written, not turned.

    Source: cocodataset.org, "Data format": ``bbox`` is [x, y, width, height] in pixels, origin top left.
    """
    classes = {entry["id"]: str(entry["name"]) for entry in document.get("categories", [])}
    licences = {entry["id"]: str(entry["name"]) for entry in document.get("licenses", []) if "name" in entry}
    lines: dict[Any, Line] = {}
    for image in document["images"]:
        lines[image["id"]] = named(key, "coco", str(image["file_name"])) | {
            "coded_width_px": image.get("width"),
            "coded_height_px": image.get("height"),
            "licence": licences.get(image.get("license")),
            "labels": [],
            "captions": [],
            "boxes": [],
            "metadata": {},
        }
    for annotation in document["annotations"]:
        if line := lines.get(annotation.get("image_id")):
            for part in annotation.get("segments_info") or [annotation]:  # a panoptic annotation is a list of segments
                _add(line, part, classes)
    for line in lines.values():
        names = sorted(set(line["labels"]))
        line |= {"labels": names or None, "label": names[0] if len(names) == 1 else None}
        line |= {"captions": line["captions"] or None, "boxes": line["boxes"] or None}
        kept = ((f"coco_{part}", nested_text(found, _KEPT_LETTERS)) for part, found in line["metadata"].items())
        line["metadata"] = [{"key": name, "value": text} for name, text in kept] or None
    declared = sorted(set(classes.values()))
    return [*lines.values(), *([{"file": key, "kind": "categories", "labels": declared}] if declared else [])]


def _add(line: Line, annotation: dict[str, Any], classes: dict[Any, str]) -> None:
    label = classes.get(annotation.get("category_id"))
    if label is not None:
        line["labels"].append(label)
    if caption := annotation.get("caption"):
        line["captions"].append(str(caption))
    box = _box(annotation.get("bbox"))
    for part in _KEPT:
        if found := annotation.get(part):
            number = len(line["boxes"]) if box is not None else None
            line["metadata"].setdefault(part, []).append({"box": number, part: found})
    if box is not None:
        line["boxes"].append(box | {"label": label})


def _box(sides: object) -> dict[str, float] | None:
    if not isinstance(sides, list) or len(sides) != 4:
        return None
    x_px, y_px, width_px, height_px = map(float, sides)
    if not all(map(math.isfinite, (x_px, y_px, width_px, height_px))):
        return None
    return {"x_px": x_px, "y_px": y_px, "width_px": width_px, "height_px": height_px}
