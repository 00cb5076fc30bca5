"""Remote sources into the same units as local ones: plain files are fetched by workers, containers are laid down first.

What is laid down bears the remote file's stamp in its time of change, so that a file fetched anew has the etag that it had.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 -- a field's type can be resolved at run time
from typing import TYPE_CHECKING, Final

import polars as pl

from toolkit.curation.annotations import ANNOTATION_SUFFIXES
from toolkit.curation.reasons import Refusal
from toolkit.curation.sniffing import claims_image
from toolkit.curation.sources.archives import is_archive, unread_archive
from toolkit.curation.sources.autoindex import list_web
from toolkit.curation.sources.fetching import fetch
from toolkit.curation.sources.folders import list_file
from toolkit.curation.sources.lists import is_list, list_rows
from toolkit.curation.sources.masks import ImageStems, is_mask, mask_stems
from toolkit.curation.sources.objects import Entry, list_objects
from toolkit.curation.sources.rows import TABLE_SUFFIXES
from toolkit.curation.sources.transfers import Transfers
from toolkit.curation.sources.units import (
    SYSTEM_NAMES,
    UNIT_BYTES,
    UNIT_ITEMS,
    Item,
    OtherFile,
    SourceUnit,
    class_folders,
    own_name,
    printable,
)
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.curation.sources.access import Access
    from toolkit.locations import Location

__all__ = ["Remote"]

_AT_ONCE: Final = 16
_BLOCK: Final = 8_192
"""Entries of a listing held as objects before they become a frame."""
_ENTRY: Final = pl.Schema({"relative": pl.String, "url": pl.String, "etag": pl.String, "size_bytes": pl.Int64})
_LISTS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt", ".csv.gz", ".tsv.gz", ".jsonl.gz")


@dataclass(kw_only=True)
class Remote:
    """Lists remote sources, and brings what must lie on the disk there."""

    access: Access
    """How they are reached."""
    staging: Path
    """Where containers are laid down until the commit; every worker sees it."""
    is_known: Callable[[str, str], bool] = lambda key, etag: False  # noqa: ARG005 -- the names say what it is asked
    """Whether an earlier batch has read a container of this key and etag: it is not fetched again."""
    has_known: bool = False
    """Whether a container was passed over because it is known."""

    def units(self, place: Location, name: str, *, with_masks: bool = True) -> Iterator[SourceUnit | OtherFile]:
        """Yield the units and other files below a remote source.

        Parameters
        ----------
        place : Location
            A bucket, a prefix, a page that lists files, or a file.
        name : str
            What the sources' keys begin with.
        with_masks : bool
            Whether segmentation masks are told from images.
        """
        folders: dict[str, bool] = {}
        entries = self._listing(place)
        may_mask = False
        for entry in entries():
            if not entry.relative:
                yield from self._single(entry, name, with_masks=with_masks)
                return
            folder, base = posixpath.split(entry.relative)
            if "_delta_log" in folder.split("/"):
                raise UsageError(
                    f"'{place}' holds a Delta table, which is read from a disk alone; copy it there and name its folder"
                )
            folders[folder] = folders.get(folder, False) or _is_image(base)
            may_mask = may_mask or (with_masks and bool(mask_stems(entry.relative)))
        stems = ImageStems(entry.relative for entry in entries()) if may_mask else None
        classes = class_folders(_with_parents(folders))
        items: list[Item] = []
        size_bytes = 0
        for entry in entries():
            key, raw = printable(posixpath.join(name, entry.relative))
            folder = posixpath.dirname(entry.relative)
            label = posixpath.basename(printable(folder)[0]) if folder in classes else None
            found = self._entry(
                entry, key, raw, label, is_mask_file=stems is not None and is_mask(entry.relative, stems.__contains__)
            )
            if not isinstance(found, Item):
                yield from self._contained(entry, key, with_masks=with_masks) if found is None else [found]
                continue
            items.append(found)
            size_bytes += found.size_bytes
            if len(items) >= UNIT_ITEMS or size_bytes >= UNIT_BYTES:
                yield self._unit(items)
                items, size_bytes = [], 0
        if items:
            yield self._unit(items)

    def _listing(self, place: Location) -> Callable[[], Iterator[Entry]]:
        """Return what lists a source each time that it is called; pages on the web are asked once alone."""
        if place.is_web:
            return _Held(list_web(place, self.access)).entries
        return lambda: (entry for entry in list_objects(place, self.access) if not entry.url.endswith("/"))

    def _unit(self, items: list[Item]) -> SourceUnit:
        return SourceUnit(kind="remote", path="", source="", items=tuple(items), access=self.access)

    def _entry(
        self, entry: Entry, key: str, raw: bytes | None, label: str | None, *, is_mask_file: bool
    ) -> Item | OtherFile | None:
        """Return what a remote file is, by its name; None for a container."""
        if entry.refusal is not None:
            return Item(source=key, place=entry.url, raw=raw, refusal=entry.refusal)
        parts = entry.relative.lower().split("/")
        suffix = posixpath.splitext(parts[-1])[1]
        kind = ""
        if any(part in SYSTEM_NAMES for part in parts):
            kind = "skipped(system)"
        elif any(part.startswith(".") for part in parts):
            kind = "skipped(hidden)"
        elif is_archive(parts[-1]) or suffix in TABLE_SUFFIXES:
            return None
        elif (why := unread_archive(parts[-1])) is not None:
            return Item(source=key, place=entry.url, raw=raw, size_bytes=entry.size_bytes, etag=entry.etag, refusal=why)
        elif is_mask_file:
            kind = "mask"
        elif suffix in ANNOTATION_SUFFIXES:
            kind = "annotation"
        elif suffix and not claims_image(suffix):
            kind = "skipped(other)"
        if kind:
            return OtherFile(source=key, path=entry.url, kind=kind, etag=entry.etag, size_bytes=entry.size_bytes)
        return Item(source=key, place=entry.url, raw=raw, size_bytes=entry.size_bytes, etag=entry.etag, folder_label=label)

    def _single(self, entry: Entry, name: str, *, with_masks: bool) -> Iterator[SourceUnit | OtherFile]:
        key, raw = printable(name)
        lower = name.lower()
        if lower.endswith(_LISTS):
            path = self._laid_down(entry)
            if isinstance(path, Refusal):
                raise UsageError(f"the list '{entry.url}' cannot be had: {path.message}")
            yield from list_rows(path, key, self.access, _without_query(entry.url)) if is_list(path) else ()
        elif is_archive(lower) or posixpath.splitext(lower)[1] in TABLE_SUFFIXES:
            yield from self._contained(entry, key, with_masks=with_masks)
        else:
            yield self._unit([Item(source=key, place=entry.url, raw=raw, size_bytes=entry.size_bytes, etag=entry.etag)])

    def _contained(self, entry: Entry, key: str, *, with_masks: bool) -> Iterator[SourceUnit | OtherFile]:
        """Yield what an archive or table holds, once it lies on the disk; nothing of one that an earlier batch has read."""
        if self.is_known(key, entry.etag):
            self.has_known = True
            yield OtherFile(source=key, path=entry.url, kind="container", etag=entry.etag, size_bytes=entry.size_bytes)
            return
        path = self._laid_down(entry)
        if isinstance(path, Refusal):
            item = Item(source=key, place=entry.url, size_bytes=entry.size_bytes, etag=entry.etag, refusal=path)
            yield self._unit([item])
        elif not entry.relative and is_list(path):
            yield from list_rows(path, key, self.access, _without_query(entry.url))
        else:
            yield from list_file(path, key, with_masks=with_masks)

    def _laid_down(self, entry: Entry) -> Path | Refusal:
        """Return a remote file on the disk, bearing its stamp, or why it cannot be had."""
        digest = hashlib.sha256(f"{entry.url}\0{entry.etag}".encode("utf-8", "surrogateescape")).hexdigest()
        path = self.staging / "fetched" / digest[:32] / _file_name(entry.relative or entry.url)
        if not path.exists():
            transfers = Transfers()
            why = fetch(entry.url, path, self.access, entry.etag, ask_robots=False, transfers=transfers)
            transfers.note(self.staging)
            if why is not None:
                return why
        mark_ns = int(entry.etag.rpartition("-")[2] or 0)
        os.utime(path, ns=(mark_ns, mark_ns))
        is_same = not entry.size_bytes or path.stat().st_size == entry.size_bytes
        return path if is_same else _changed(path)

    def brought(self, files: pl.DataFrame) -> pl.DataFrame:
        """Return other files (``path``, ``kind``, ``etag``) with annotations and masks laid down, their paths on the disk."""
        wanted = files.filter(pl.col("kind").is_in(["annotation", "mask"]) & pl.col("path").str.contains("://", literal=True))
        if wanted.is_empty():
            return files
        transfers = Transfers()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            laid = list(pool.map(lambda path, etag: self._brought(path, etag, transfers), wanted["path"], wanted["etag"]))
        transfers.note(self.staging)
        paths = pl.DataFrame({"source": wanted["source"], "laid": laid}, schema_overrides={"laid": pl.String})
        joined = files.join(paths, on="source", how="left", maintain_order="left")
        return joined.with_columns(path=pl.coalesce("laid", "path")).drop("laid")

    def _brought(self, path: str, etag: str, transfers: Transfers) -> str:
        url = own_name(path)
        digest = hashlib.sha256(f"{url}\0{etag}".encode("utf-8", "surrogateescape")).hexdigest()
        target = self.staging / "fetched" / digest[:32] / _file_name(url)
        if not target.exists() and fetch(url, target, self.access, ask_robots=False, transfers=transfers) is not None:
            return path
        return str(target)


class _Held:
    """Entries of a listing in columns, to be gone through more than once."""

    def __init__(self, listed: Iterator[Entry]) -> None:
        self._blocks: list[pl.DataFrame] = []
        self._refusals: dict[str, Refusal] = {}
        while block := list(itertools.islice(listed, _BLOCK)):
            self._refusals |= {entry.url: entry.refusal for entry in block if entry.refusal is not None}
            rows = [(entry.relative, entry.url, entry.etag, entry.size_bytes) for entry in block]
            self._blocks.append(pl.DataFrame(rows, schema=_ENTRY, orient="row"))

    def entries(self) -> Iterator[Entry]:
        for block in self._blocks:
            for row in block.iter_rows(named=True):
                yield Entry(**row, refusal=self._refusals.get(row["url"]))


def _without_query(url: str) -> str:
    return url.partition("?")[0] if url.startswith(("http://", "https://")) else url


def _file_name(place: str) -> str:
    return posixpath.basename(_without_query(place))[-200:] or "file"


def _changed(path: Path) -> Refusal:
    from toolkit.curation.reasons import refusal

    path.unlink()
    return refusal("changed_while_read", "it is not what it was when it was listed")


def _is_image(base: str) -> bool:
    return not base.startswith(".") and claims_image(posixpath.splitext(base)[1].lower())


def _with_parents(folders: dict[str, bool]) -> dict[str, bool]:
    found = dict(folders)
    for folder in folders:
        while folder:
            folder = posixpath.dirname(folder)  # noqa: PLW2901 -- climbing
            found.setdefault(folder, False)
    return found
