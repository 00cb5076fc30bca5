"""Folders: every file is an image to read, a container to open, an annotation, or skipped with a reason; none is overlooked."""

from __future__ import annotations

import json
import os
import posixpath
import stat
from typing import TYPE_CHECKING, Final

from toolkit.curation.annotations import ANNOTATION_SUFFIXES
from toolkit.curation.reasons import refusal
from toolkit.curation.sniffing import IMAGE_SUFFIXES, claims_image, is_image
from toolkit.curation.sources.archives import is_archive, list_archive, unread_archive
from toolkit.curation.sources.files import etag_of
from toolkit.curation.sources.lakes import is_table_folder, list_table_folder
from toolkit.curation.sources.masks import FolderMasks
from toolkit.curation.sources.rows import TABLE_SUFFIXES
from toolkit.curation.sources.tables import list_table
from toolkit.curation.sources.units import (
    SYSTEM_NAMES,
    UNIT_BYTES,
    Item,
    OtherFile,
    SourceUnit,
    class_folders,
    printable,
    unit_items,
)
from toolkit.curation.sources.walking import is_hidden, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["annotation_kind", "list_file", "list_folder"]

_SNIFF_BYTES: Final = 1_024


def annotation_kind(name: str) -> str:
    """Return what a file that is neither image nor container is, by its name.

    Examples
    --------
    >>> annotation_kind("a/metadata.csv"), annotation_kind("notes.md")
    ('annotation', 'skipped(other)')
    """
    suffix = posixpath.splitext(name)[1].lower()
    return "annotation" if suffix in ANNOTATION_SUFFIXES else "skipped(other)"


class _Filling:
    """Items on their way into units."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.size_bytes = 0
        self.unit_count = 0

    def add(self, item: Item) -> SourceUnit | None:
        """Take an item; return a unit when it is full."""
        self.items.append(item)
        self.size_bytes += item.size_bytes
        return self.flush() if len(self.items) >= unit_items(self.unit_count) or self.size_bytes >= UNIT_BYTES else None

    def flush(self) -> SourceUnit | None:
        """Return what is there as a unit, if anything is."""
        if not self.items:
            return None
        unit = SourceUnit(kind="files", path="", source="", items=tuple(self.items))
        self.items, self.size_bytes = [], 0
        self.unit_count += 1
        return unit


def list_folder(root: Path, name: str, *, with_masks: bool = True) -> Iterator[SourceUnit | OtherFile]:
    """Yield the units and other files below a folder, in the order of their names' bytes.

    Parameters
    ----------
    root : Path
        The folder.
    name : str
        What its sources' keys begin with.
    with_masks : bool
        Whether segmentation masks are told from images.
    """
    classes = _classes(root)
    filling = _Filling()
    masks = FolderMasks(root) if with_masks else None
    for folder in walk(root):
        relative = folder.relative
        if is_table_folder(folder.path):
            yield from list_table_folder(folder.path, printable(posixpath.join(name, relative))[0])
            continue
        if folder.names is None:
            yield OtherFile(
                source=printable(posixpath.join(name, relative))[0], path=str(folder.path), kind="skipped(unreadable)"
            )
            continue
        keys = _Keys(posixpath.join(name, relative), folder.path)
        label = posixpath.basename(printable(relative)[0]) if relative in classes else None
        for base in folder.names:
            key, raw = keys(base)
            image = _named_image(base, keys.place(base), key, raw, label)
            entries = _list_entry(base, folder.path / base, key, raw, label, with_masks=with_masks) if image is None else [image]
            for found in entries:
                if masks is not None and isinstance(found, Item) and masks(posixpath.join(relative, base)):
                    found = _as_mask(found)  # noqa: PLW2901 -- the same file, known better
                unit = filling.add(found) if isinstance(found, Item) else found
                if unit is not None:
                    yield unit
    rest = filling.flush()
    if rest is not None:
        yield rest


def _classes(root: Path) -> set[str]:
    """Return the folders whose names are labels; those that an export of plain files deals its images out to are none."""
    folders, dealt = {}, []
    for folder in walk(root, with_names=False):
        folders[folder.relative] = folder.has_images
        if _is_dealt_out(folder.path):
            dealt.append(folder.relative)
    found = class_folders(folders)
    return {name for name in found if not any(not above or name.startswith(f"{above}/") for above in dealt)}


def _is_dealt_out(folder: Path) -> bool:
    """Return whether a folder is an export as ``files``: ``SPLIT/AB/ABCD.jpg``, by the beginnings of identifiers."""
    try:
        told = json.loads((folder / "export.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("form") == "files"


class _Keys:
    """Keys of the files of one folder.

    Parameters
    ----------
    above : str
        What they begin with.
    folder : Path
        The folder.
    """

    def __init__(self, above: str, folder: Path) -> None:
        self._above = above
        self._shown, self._own = printable(above)
        self._begin = str(folder / "x")[:-1]
        self._odd: set[str] = set()

    def __call__(self, base: str) -> tuple[str, bytes | None]:
        """Return the key of a file, and its own bytes if they are not UTF-8; no other file of the folder prints like it."""
        shown, own = printable(base)
        if own is not None:
            while shown in self._odd:
                shown += "~"
            self._odd.add(shown)
        is_plain = own is None and self._own is None
        return posixpath.join(self._shown, shown), None if is_plain else printable(posixpath.join(self._above, base))[1]

    def place(self, base: str) -> str:
        """Return the path of a file."""
        return self._begin + base


def _named_image(base: str, place: str, key: str, raw: bytes | None, label: str | None) -> Item | None:
    """Return a file whose name says that it is an image, as most are, without asking what else it may be; None if it may be."""
    if posixpath.splitext(base)[1].lower() not in IMAGE_SUFFIXES or is_hidden(base):
        return None
    try:
        info = os.stat(place)  # noqa: PTH116 -- a path of each of millions of names takes longer than to ask for its state
    except OSError:
        return None
    if not stat.S_ISREG(info.st_mode):
        return None
    return Item(source=key, place=place, raw=raw, size_bytes=info.st_size, etag=etag_of(info), folder_label=label)


def list_file(path: Path, name: str, *, with_masks: bool = True) -> Iterator[SourceUnit | OtherFile]:
    """Yield what one named file is: an image, or the contents of a container."""
    filling = _Filling()
    key, raw = printable(name)
    for found in _list_path(path, path.stat(), key, raw, None, with_masks=with_masks):
        unit = filling.add(found) if isinstance(found, Item) else found
        if unit is not None:
            yield unit
    rest = filling.flush()
    if rest is not None:
        yield rest


def _as_mask(item: Item) -> OtherFile:
    return OtherFile(source=item.source, path=item.place, kind="mask", etag=item.etag, size_bytes=item.size_bytes)


def _list_entry(
    name: str, path: Path, key: str, raw: bytes | None, label: str | None, *, with_masks: bool
) -> Iterator[Item | SourceUnit | OtherFile]:
    if name.startswith("."):
        yield OtherFile(source=key, path=str(path), kind="skipped(hidden)")
        return
    if name.lower() in SYSTEM_NAMES:
        yield OtherFile(source=key, path=str(path), kind="skipped(system)")
        return
    try:
        info = path.stat()
    except OSError as fault:  # a link to nothing, or round in a circle
        if claims_image(posixpath.splitext(name)[1].lower()):
            yield Item(source=key, place=str(path), raw=raw, refusal=refusal("unreadable", fault.strerror or str(fault)))
        else:
            yield OtherFile(source=key, path=str(path), kind="skipped(unreadable)")
        return
    if not stat.S_ISREG(info.st_mode):
        yield OtherFile(source=key, path=str(path), kind="skipped(not_a_file)")
        return
    yield from _list_path(path, info, key, raw, label, with_masks=with_masks)


def _list_path(
    path: Path, info: os.stat_result, key: str, raw: bytes | None, label: str | None, *, with_masks: bool
) -> Iterator[Item | SourceUnit | OtherFile]:
    suffix = path.suffix.lower()
    etag = etag_of(info)
    if is_archive(path.name):
        yield from list_archive(path, key, etag, with_masks=with_masks)
    elif (why := unread_archive(path.name)) is not None:
        yield Item(source=key, place=str(path), raw=raw, size_bytes=info.st_size, etag=etag, refusal=why)
    elif suffix in TABLE_SUFFIXES:
        yield from list_table(path, key, etag)
    elif claims_image(suffix) or (suffix not in ANNOTATION_SUFFIXES and _looks_like_image(path)):
        yield Item(source=key, place=str(path), raw=raw, size_bytes=info.st_size, etag=etag, folder_label=label)
    else:
        yield OtherFile(source=key, path=str(path), kind=annotation_kind(path.name), etag=etag, size_bytes=info.st_size)


def _looks_like_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_image(file.read(_SNIFF_BYTES))
    except OSError:
        return True  # reading it will say why it cannot be read
