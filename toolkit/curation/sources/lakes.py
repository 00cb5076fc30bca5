"""Folders that a Delta Lake log speaks for, such as a dataset of this toolkit: the newest version's files, and no other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from toolkit.curation.reasons import refusal
from toolkit.curation.sources.files import container_refusal, etag_of
from toolkit.curation.sources.tables import list_table
from toolkit.curation.sources.units import Item, OtherFile, SourceUnit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_table_folder", "list_table_folder"]

_LOG = "_delta_log"


def is_table_folder(folder: Path) -> bool:
    """Return whether a folder is a Delta Lake table, or a dataset of this toolkit; not one that may not be entered."""
    try:
        return (folder / _LOG).is_dir() or ((folder / "images" / _LOG).is_dir() and (folder / "_tonnage").is_dir())
    except PermissionError:
        return False


def list_table_folder(folder: Path, key: str) -> Iterator[SourceUnit | OtherFile]:
    """Yield the units of a table's newest version; of a dataset, of its images.

    Files that the log does not name (of earlier versions, or of a run that never ended) are not looked at.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    table, name = (folder, key) if (folder / _LOG).is_dir() else (folder / "images", f"{key}/images")
    try:
        paths = sorted(_path(uri) for uri in DeltaTable(table).file_uris())
    except (DeltaError, OSError, ValueError) as fault:
        refused = container_refusal(fault, "the log of the table cannot be read: ")
        broken = Item(source=f"{name}/{_LOG}", place=str(table / _LOG), refusal=refused)
        yield SourceUnit(kind="files", path="", source="", items=(broken,))
        return
    for path in paths:
        source = f"{name}/{path.relative_to(table).as_posix() if path.is_relative_to(table) else path.name}"
        try:
            found = list(list_table(path, source, etag_of(path.stat())))
        except OSError as fault:
            refused = refusal("unreadable", fault.strerror or str(fault))
            found = [Item(source=source, place=str(path), refusal=refused)]
        for each in found:
            yield SourceUnit(kind="files", path="", source="", items=(each,)) if isinstance(each, Item) else each


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file:") else Path(os.fspath(uri))
