"""What a table says of an image beside its bytes: label, captions, boxes, licence and metadata, by the names of columns."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from toolkit.curation.annotations.objects import nested_text, objects_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["LABEL_COLUMNS", "class_names", "hints_of", "is_dataset"]

_LABEL_NAMES: Final = ("label", "class", "category", "class_name", "label_name")
_LABELS_NAMES: Final = ("labels", "classes", "categories", "tags")
LABEL_COLUMNS: Final = (*_LABEL_NAMES, *_LABELS_NAMES)
"""Columns that hold one class or several."""
_CAPTION_NAMES: Final = ("caption", "captions", "text", "description", "txt")
_LICENCE_NAMES: Final = ("licence", "license")
_OWN: Final = frozenset({"image", "image_id", "sha256", "duplicate_group", "split", "batch", "source"})
"""Columns that only a shard of a dataset of this toolkit has all of."""

_FLOORS: Final = 2
"""How far above a table the card of its dataset may stand: ``data/train-00000-of-00001.parquet`` below ``README.md``."""

ClassNames = dict[str, list[str]]
"""Names of class numbers by column."""


def is_dataset(columns: list[str]) -> bool:
    """Return whether columns are those of the images of a dataset of this toolkit."""
    return _OWN.issubset(columns)


def hints_of(row: Mapping[str, Any], names: ClassNames, *, is_own: bool = False) -> dict[str, Any]:
    """Return what a row says of its image.

    Parameters
    ----------
    row : mapping
        Cells by column, without the image.
    names : dict
        Names of class numbers by column.
    is_own : bool
        Whether it is a row of a dataset of this toolkit, whose columns are known.
    """
    if is_own:
        return _own_hints(row)
    hints: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    boxes: list[dict[str, Any]] = []
    for name, value in row.items():
        if value is None or isinstance(value, bytes):
            continue
        role = _in_role(name, value, names)
        if role is not None:
            hints |= role
            continue
        found, rest = objects_in(name, value, _names_of_parts(names, name)) or ([], value)
        boxes += found
        text = nested_text(rest) if isinstance(rest, list | dict) else str(rest)
        if text is not None:
            metadata[name] = text
    return hints | _of_boxes(boxes, hints) | ({"metadata": metadata} if metadata else {})


def _in_role(name: str, value: Any, names: ClassNames) -> dict[str, Any] | None:
    """Return what a cell says by the name of its column; None if that plays no role."""
    if name in _LICENCE_NAMES:
        return {"licence": str(value)}
    if isinstance(value, dict):
        return None
    if name in _LABEL_NAMES and not isinstance(value, list):
        return {"label": _class_name(names, name, value)}
    several = value if isinstance(value, list) else [value]
    if name in _LABELS_NAMES or name in _LABEL_NAMES:
        return {"labels": [_class_name(names, name, part) for part in several]}
    return {"captions": [str(text) for text in several]} if name in _CAPTION_NAMES else None


def _of_boxes(boxes: list[dict[str, Any]], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return boxes, and their classes as labels where no column says any."""
    if not boxes:
        return {}
    classes = sorted({box["label"] for box in boxes if box["label"] is not None})
    if not classes or "label" in hints or "labels" in hints:
        return {"boxes": boxes}
    return {"boxes": boxes, "labels": classes} | ({"label": classes[0]} if len(classes) == 1 else {})


def _names_of_parts(names: ClassNames, column: str) -> ClassNames:
    """Return the names of class numbers in the parts of a nested column."""
    start = f"{column}."
    return {name.removeprefix(start): found for name, found in names.items() if name.startswith(start)}


def _own_hints(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset says of an image that it holds: its annotations as they are, its split, where it came from."""
    hints = {name: row[name] for name in ("label", "labels", "captions", "boxes", "licence") if row.get(name) is not None}
    metadata = {pair["key"]: pair["value"] for pair in row.get("metadata") or []}
    origin = {"source_split": row.get("split"), "source_origin": row.get("source")}
    hints["has_mask"] = row.get("mask_source") is not None
    hints["metadata"] = {name: value for name, value in origin.items() if value is not None} | metadata
    return hints


def _class_name(names: ClassNames, column: str, value: object) -> str:
    """Return a label by its name, where one is given for its number."""
    known = names.get(column, [])
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(known):
        return known[value]
    return str(value)


def class_names(path: str, schema: pa.Schema) -> ClassNames:
    """Return the names of class numbers by column: of the table's own metadata, else of the files beside it.

    Source: Hugging Face ``datasets``: ``{"info": {"features": ...}}`` under the key ``huggingface`` of the schema;
    ``dataset_info.json`` of ``save_to_disk``; ``dataset_info`` at the head of a card, ``README.md``.
    """
    own = (schema.metadata or {}).get(b"huggingface")
    try:
        found = _of_features(json.loads(own)["info"]["features"]) if own else {}
    except (ValueError, KeyError, TypeError):
        found = {}
    if found:
        return found
    folder = Path(path).parent
    cards = [above / "README.md" for above in [folder, *folder.parents][: _FLOORS + 1]]
    for told in [folder / "dataset_info.json", *cards]:
        try:
            written_ns = told.stat().st_mtime_ns
        except OSError:
            continue
        if names := _read(str(told), written_ns):
            return names
    return {}


@lru_cache(256)
def _read(path: str, written_ns: int) -> ClassNames:  # noqa: ARG001 -- a card that was written anew is read anew
    """Return the class names in a file that tells of a dataset; none if it is not there, or does not."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        if path.endswith(".json"):
            return _of_features(json.loads(text)["features"])
        _, head, _ = text.split("---", 2)
        told = yaml.safe_load(head)["dataset_info"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError, RecursionError):
        return {}
    found: ClassNames = {}
    for part in told if isinstance(told, list) else [told]:
        if isinstance(part, dict) and isinstance(part.get("features"), list):
            found |= _of_features({str(each.get("name")): each for each in part["features"] if isinstance(each, dict)})
    return found


def _of_features(features: Mapping[str, Any]) -> ClassNames:
    found = {str(column): _names_in(feature) for column, feature in features.items()}
    for column, feature in features.items():
        found |= {f"{column}.{part}": _names_in(inner) for part, inner in _parts_of(feature).items()}
    return {column: names for column, names in found.items() if names}


def _parts_of(feature: object) -> dict[str, Any]:
    """Return the features that a nested one is made of, by name: a mapping of them, or, in a card, a list that names them."""
    if isinstance(feature, list):
        if all(isinstance(each, dict) and "name" in each for each in feature):
            return {str(each["name"]): each for each in feature}
        return _parts_of(feature[0]) if len(feature) == 1 else {}
    if not isinstance(feature, dict):
        return {}
    for inner in ("feature", "sequence", "list", "struct"):
        if isinstance(feature.get(inner), dict | list):
            return _parts_of(feature[inner])
    return {} if "_type" in feature or "dtype" in feature else feature


def _names_in(feature: object) -> list[str]:
    """Return the names in a feature, or in the feature of its list; a card has them by number, in text."""
    if isinstance(feature, list):
        return _names_in(feature[0]) if len(feature) == 1 else []
    if not isinstance(feature, dict):
        return []
    for inner in ("class_label", "feature", "dtype", "sequence", "list"):
        if isinstance(feature.get(inner), dict | list):
            return _names_in(feature[inner])
    names = feature.get("names")
    if isinstance(names, dict):
        try:
            return [str(name) for _, name in sorted((int(number), name) for number, name in names.items())]
        except ValueError:
            return []
    return [str(name) for name in names] if isinstance(names, list) else []
