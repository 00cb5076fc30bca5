"""Boxes as Hugging Face's detection datasets have them, in a column ``objects``; and any other nested cell as text."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CATEGORY_NAMES", "nested_text", "objects_in"]

_COLUMNS: Final = frozenset({"objects", "object", "annotations", "detections", "faces"})
_BOX_NAMES: Final = ("bbox", "bboxes", "boxes")
CATEGORY_NAMES: Final = (
    "categories", "category", "labels", "label", "classes", "class", "class_name", "class_label", "category_name", "category_id",
)  # fmt: skip
"""Parts of a column of boxes that name their classes, the first that is there counts."""

_TEXT_LETTERS: Final = 8_192
"""A longer cell (a vector of features, a mask in numbers) is named, not kept."""

Box = dict[str, Any]


def objects_in(
    column: str, cell: Any, names: Mapping[str, Sequence[str]] | None = None
) -> tuple[list[Box], dict[str, Any]] | None:
    """Return the boxes in a cell and what else it says of them; None if it holds none, or any that is no box.

    Boxes are taken for x, y, width, height in pixels of the display, as the library's documentation has them; those all
    of whose numbers are at most 1 are shares, and are none here.

    Source: Hugging Face, "Object detection" (docs/datasets/object_detection, docs/transformers/tasks/object_detection).

    Parameters
    ----------
    column : str
        Its column.
    cell : any
        A mapping of lists, or a list of mappings.
    names : mapping, optional
        Names of class numbers, by part of the cell.

    Examples
    --------
    >>> objects_in("objects", {"bbox": [[1, 2, 3, 4]], "category": [0], "area": [12]}, {"category": ["cat"]})
    ([{'x_px': 1.0, 'y_px': 2.0, 'width_px': 3.0, 'height_px': 4.0, 'label': 'cat'}], {'area': [12]})
    """
    if column.strip().lower() not in _COLUMNS:
        return None
    parts = _by_part(cell)
    place = next((name for name in _BOX_NAMES if name in parts), None)
    if place is None or not isinstance(parts[place], list):
        return None
    kind = next((name for name in CATEGORY_NAMES if isinstance(parts.get(name), list)), None)
    classes = parts[kind] if kind is not None else [None] * len(parts[place])
    if len(classes) != len(parts[place]):
        return None
    known = (names or {}).get(kind or "", ())
    boxes = [_box(sides, _class(category, known)) for sides, category in zip(parts[place], classes, strict=True)]
    if any(box is None for box in boxes) or (boxes and all(_is_share(sides) for sides in parts[place])):
        return None
    rest = {name: value for name, value in parts.items() if name not in {place, kind} and value not in (None, [])}
    return [box for box in boxes if box is not None], rest


def _by_part(cell: Any) -> dict[str, Any]:
    if isinstance(cell, list) and cell and all(isinstance(each, dict) for each in cell):
        return {str(name): [each.get(name) for each in cell] for name in cell[0]}
    return {str(name): value for name, value in cell.items()} if isinstance(cell, dict) else {}


def _box(sides: Any, label: str | None) -> Box | None:
    if not isinstance(sides, list) or len(sides) != 4 or not all(isinstance(side, int | float) for side in sides):
        return None
    x_px, y_px, width_px, height_px = map(float, sides)
    if not all(map(math.isfinite, (x_px, y_px, width_px, height_px))):
        return None
    return {"x_px": x_px, "y_px": y_px, "width_px": width_px, "height_px": height_px, "label": label}


def _is_share(sides: list[float]) -> bool:
    return max(sides) <= 1


def _class(category: object, known: Sequence[str]) -> str | None:
    if category is None:
        return None
    if isinstance(category, int) and not isinstance(category, bool) and 0 <= category < len(known):
        return known[category]
    return str(category)


def nested_text(cell: Any, most_letters: int = _TEXT_LETTERS) -> str | None:
    """Return a list or mapping as JSON, None if there is nothing in it; of one that is too long, what it is.

    Examples
    --------
    >>> nested_text([1, 2]), nested_text([]), nested_text([0.5] * 10_000)
    ('[1, 2]', None, '(not kept: a list of 10000 in 50000 letters)')
    """
    if not cell:
        return None
    text = json.dumps(cell, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) <= most_letters:
        return text
    return f"(not kept: a {type(cell).__name__} of {len(cell)} in {len(text)} letters)"
