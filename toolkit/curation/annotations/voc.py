"""Pascal VOC: one XML file per image, read without entities, document types or anything else that XML can call for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from toolkit.curation.annotations.lines import sidecar_stems
from toolkit.curation.annotations.objects import nested_text
from toolkit.curation.annotations.tables import named

if TYPE_CHECKING:
    from toolkit.curation.annotations.lines import Line

__all__ = ["voc_lines"]

_KEPT_LETTERS: Final = 2**16
_READ: Final = frozenset({"name", "bndbox"})
"""Parts of an object that become label and box; the others are kept as they are written."""


def voc_lines(key: str, payload: bytes) -> list[Line] | None:
    """Return the line of a Pascal VOC file; None for XML of another purpose.

    A box goes from the pixel (xmin, ymin) to the pixel (xmax, ymax), both counted from 1 and both part of it. What else is said
    of an object (``pose``, ``truncated``, ``difficult``, ``occluded``, ``part`` with boxes of its own) becomes the metadata
    ``voc_objects``: a JSON list of what the file says, each with the number of its box; parts in pixels as written, not turned.
    ``segmented`` becomes ``voc_segmented``.

    Source: PASCAL VOC2012 development kit, section 2.4; Detectron2, ``load_voc_instances`` (the same reading).

    Raises
    ------
    ValueError
        If it is no XML, declares a document type, or holds a box that is none.
    """
    root = _tree(payload)
    if root.tag != "annotation" or (root.find("object") is None and root.find("size") is None and root.find("filename") is None):
        return None
    labels: list[str] = []
    boxes: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for thing in root.findall("object"):
        label = _text(thing, "name")
        if label:
            labels.append(label)
        corners = thing.find("bndbox")
        if rest := _plain([part for part in thing if part.tag not in _READ]):
            kept.append({"box": None if corners is None else len(boxes), **rest})
        if corners is not None:
            boxes.append(_box(corners) | {"label": label})
    names = sorted(set(labels))
    name = _text(root, "filename")
    said = {"voc_objects": nested_text(kept, _KEPT_LETTERS), "voc_segmented": _text(root, "segmented")}
    metadata = [{"key": key, "value": value} for key, value in said.items() if value is not None]
    return [
        (named(key, "voc", name) if name else {"file": key, "kind": "voc"})
        | {
            "stems": sidecar_stems(key),
            "label": names[0] if len(names) == 1 else None,
            "labels": names or None,
            "boxes": boxes or None,
            "metadata": metadata or None,
            "coded_width_px": _size(root, "size/width"),
            "coded_height_px": _size(root, "size/height"),
        }
    ]


def _tree(payload: bytes) -> Element:
    """Return the elements of an XML document.

    Document types are refused before anything they declare is read: entities that unfold to gigabytes, files that
    are drawn in from elsewhere. Source: Python's documentation, "XML vulnerabilities"; the ``defusedxml`` package.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(payload, True)
    except expat.ExpatError as fault:
        raise ValueError(f"no XML: {fault}") from fault
    return builder.close()


def _refuse(*_: object) -> None:
    raise ValueError("it declares a document type, which no annotation needs")


def _text(element: Element, path: str) -> str | None:
    text = (element.findtext(path) or "").strip()
    return text or None


def _plain(parts: list[Element]) -> dict[str, Any]:
    """Return elements as what JSON can hold: text, or what is in them; a tag that comes several times is a list."""
    found: dict[str, Any] = {}
    for part in parts:
        value: Any = _plain(list(part)) if len(part) else (part.text or "").strip() or None
        if value is None:
            continue
        if part.tag in found:
            known = found[part.tag]
            found[part.tag] = [*(known if isinstance(known, list) else [known]), value]
        else:
            found[part.tag] = value
    return found


def _size(root: Element, path: str) -> int | None:
    """Return a size in whole pixels; some tools write 0 where they did not know."""
    text = _text(root, path)
    return (int(float(text)) or None) if text else None


def _box(corners: Element) -> dict[str, Any]:
    left, top, right, bottom = (float(_text(corners, side) or "nan") for side in ("xmin", "ymin", "xmax", "ymax"))
    x_px, y_px = max(0.0, left - 1), max(0.0, top - 1)  # some tools count from 0
    if not (math.inf > right > x_px and math.inf > bottom > y_px):
        raise ValueError(f"a box from ({left:g}, {top:g}) to ({right:g}, {bottom:g}) holds no pixel")
    return {"x_px": x_px, "y_px": y_px, "width_px": right - x_px, "height_px": bottom - y_px}
