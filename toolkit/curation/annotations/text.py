"""Text of any encoding, and cells of tables and documents as labels, captions and metadata."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from toolkit.curation.annotations.objects import nested_text, objects_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from toolkit.curation.annotations.lines import Line

__all__ = ["NAME_COLUMNS", "as_text", "column_of", "is_name_column", "roles_of", "said", "whole_letters"]

NAME_COLUMNS: Final = ("file_name", "filename", "file", "image_path", "path", "image", "image_file")

_ROLES: Final = {
    "label": ("label", "class", "category", "class_name"),
    "labels": ("labels", "classes", "categories", "tags"),
    "captions": ("caption", "captions", "text", "description"),
    "licence": ("licence", "license"),
}
_SEPARATORS: Final = re.compile(r"[;|]")
_ESCAPES: Final = re.compile(
    r"\\(?:\\|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
"""In JSON, a backslash that stands for itself, a letter by both its halves, and half of one."""


def as_text(payload: bytes) -> str:
    """Return the text in bytes: UTF-8 with or without a byte order mark, else Windows-1252."""
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        return payload.decode("cp1252", errors="replace")


def whole_letters(text: str) -> str:
    r"""Return JSON text without halves of letters, which no table can hold: each becomes the mark of what cannot be shown.

    They come from texts that were cut after so many units of UTF-16, in the middle of an emoji.

    Examples
    --------
    >>> print(whole_letters(r'"cut \ud83d"'), whole_letters(r'"whole \ud83d\ude00, a path \\ud83d"'))
    "cut \ufffd" "whole \ud83d\ude00, a path \\ud83d"
    """
    return _ESCAPES.sub(lambda found: r"\ufffd" if found["half"] else found[0], text) if "\\u" in text else text


def is_name_column(column: str) -> bool:
    """Return whether a column of that name names files."""
    return column.strip().lower() in NAME_COLUMNS


def column_of(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column that plays a role, by the first of the role's names that is there."""
    by_name = {column.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def roles_of(columns: Iterable[str]) -> dict[str, str]:
    """Return which column holds label, labels, captions and licence, of those that are there."""
    columns = list(columns)
    found = {role: column_of(columns, names) for role, names in _ROLES.items()}
    return {role: column for role, column in found.items() if column is not None}


def said(record: Mapping[str, Any], roles: Mapping[str, str], used: Iterable[str | None] = ()) -> Line:
    """Return what a record says of its image; what plays no role becomes metadata."""
    taken = {*roles.values(), *used}
    rest: dict[str, Any] = {str(name): value for name, value in record.items() if name not in taken}
    boxes: list[dict[str, Any]] = []
    for name, value in list(rest.items()):
        if (found := objects_in(name, value)) is not None:
            boxes += found[0]
            rest[name] = found[1] or None
    plain = ((name, _plain(value)) for name, value in rest.items())
    metadata = [{"key": name, "value": value} for name, value in plain if value is not None]
    label = record.get(roles.get("label", ""))
    several = _several(record.get(roles.get("labels", ""))) or (_several(label) if isinstance(label, list) else None)
    one = None if isinstance(label, list) else _plain(label)
    if boxes and one is None and several is None:
        several = sorted({box["label"] for box in boxes if box["label"] is not None}) or None
        one = several[0] if several is not None and len(several) == 1 else None
    return {
        "label": one,
        "labels": several,
        "captions": _several(record.get(roles.get("captions", "")), separated=False),
        "licence": _plain(record.get(roles.get("licence", ""))),
        "metadata": metadata or None,
        "boxes": boxes or None,
        "is_displayed": True if boxes else None,
    }


def _plain(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else nested_text(value) if isinstance(value, list | dict) else json.dumps(value)


def _several(value: object, *, separated: bool = True) -> list[str] | None:
    """Return a cell as a list: a JSON list as it is, a text cut at ``;`` and ``|`` if it is a list of classes."""
    if isinstance(value, list):
        return [text for text in map(_plain, value) if text] or None
    text = _plain(value)
    if text is None:
        return None
    return [part.strip() for part in _SEPARATORS.split(text) if part.strip()] if separated else [text]
