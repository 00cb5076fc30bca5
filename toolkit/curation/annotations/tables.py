"""Tables whose lines name a file each (CSV, TSV, JSON, JSON Lines), and JSON documents that speak of one image."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from toolkit.curation.annotations.lines import folder_of, joined, sidecar_stems
from toolkit.curation.annotations.text import NAME_COLUMNS, column_of, roles_of, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.curation.annotations.lines import Line

__all__ = ["document_lines", "named", "table_lines"]


def named(key: str, kind: str, name: str) -> Line:
    """Return the columns of a line that names its image by a path below the annotation file's folder."""
    path = posixpath.normpath(name.replace("\\", "/")).lstrip("/")
    return {"file": key, "kind": kind, "name": path, "target": joined(folder_of(key), path)}


def table_lines(key: str, records: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> list[Line] | None:
    """Return the annotations of a table whose lines name a file each; other columns become metadata.

    Parameters
    ----------
    key : str
        Source key of the table.
    records : sequence of dict
        Its rows, or some of them.
    columns : sequence of str, optional
        The columns of all rows; by default those of these.
    """
    columns = list({str(name): None for record in records for name in record}) if columns is None else columns
    place = column_of(columns, NAME_COLUMNS)
    if place is None:
        return None
    roles = roles_of(columns)
    return [named(key, "table", str(record[place])) | said(record, roles, [place]) for record in records if record.get(place)]


def document_lines(key: str, document: dict[str, Any]) -> list[Line] | None:
    """Return what a JSON document beside an image says of it, as WebDataset and downloaders write them."""
    if not document:
        return None
    document = {name: value for name, value in document.items() if name != "imageData"}  # LabelMe's copy of the image itself
    place = column_of(document, NAME_COLUMNS)
    name = document[place] if place is not None and isinstance(document[place], str) else None
    line = said(document, roles_of(document))
    return [line | (named(key, "document", name) if name else {"file": key, "kind": "document"}) | {"stems": sidecar_stems(key)}]
