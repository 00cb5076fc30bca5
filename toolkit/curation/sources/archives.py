"""Archives: zip, tar and compressed tar. Members are read in place, never unpacked to a path of their choosing."""

from __future__ import annotations

import lzma
import posixpath
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import zstandard

from toolkit.curation.annotations import ANNOTATION_SUFFIXES
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sniffing import claims_image
from toolkit.curation.sources.masks import is_mask, stems_by_folder
from toolkit.curation.sources.units import (
    MAX_PAYLOAD_BYTES,
    SYSTEM_NAMES,
    UNIT_BYTES,
    Item,
    OtherFile,
    SourceUnit,
    class_folders,
    printable,
    unit_items,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "ARCHIVE_FAULTS",
    "BOMB_RATIO",
    "MemberNames",
    "compression_of",
    "is_archive",
    "is_claimed",
    "list_archive",
    "other_member",
    "strict_headers",
    "unsafe_member",
    "zip_name",
]

_STREAMS: Final = {
    ".tar.gz": "gz",
    ".tgz": "gz",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.zst": "zst",
}
BOMB_RATIO: Final = 1_000
_HARMLESS_BYTES: Final = 64 * 2**20
"""A member that unpacks to more than 64 MiB and 1,000 times its size is taken for a bomb; deflate ends at 1,032. Source:
zlib.net, technical details. Below 64 MiB nothing is: blank images pack well."""

ARCHIVE_FAULTS: Final = (
    OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zstandard.ZstdError,
    zipfile.BadZipFile, tarfile.TarError, NotImplementedError,
)  # fmt: skip


def is_archive(name: str) -> bool:
    """Return whether a file is an archive, by its name.

    Examples
    --------
    >>> is_archive("a.zip"), is_archive("b.TAR.GZ"), is_archive("c.jpg")
    (True, True, False)
    """
    lower = name.lower()
    return lower.endswith((".zip", ".tar")) or compression_of(lower) is not None


def compression_of(name: str) -> str | None:
    """Return how a tar is compressed, by its name: ``gz``, ``bz2``, ``xz``, ``zst`` or None."""
    return next((kind for suffix, kind in _STREAMS.items() if name.lower().endswith(suffix)), None)


def list_archive(path: Path, key: str, etag: str, *, with_masks: bool = True) -> Iterator[SourceUnit | OtherFile | Item]:
    """Yield the units and other files of an archive; an archive that cannot be listed is one refused item."""
    if compression_of(path.name) is not None:
        yield OtherFile(source=key, path=str(path), kind="container", etag=etag, size_bytes=path.stat().st_size)
        yield SourceUnit(kind="tar_stream", path=str(path), source=key, etag=etag)
        return
    kind = "zip" if path.name.lower().endswith(".zip") else "tar"
    items: list[Item] = []
    fault: Exception | None = None
    try:
        for item in _zip_items(path, key, etag) if kind == "zip" else _tar_items(path, key, etag):
            items.append(item)  # noqa: PERF402 -- what was listed before a fault is kept
    except ARCHIVE_FAULTS as broken:
        fault = broken
    if fault is not None and not items:
        yield _corrupt(path, key, etag, fault)
        return
    yield OtherFile(source=key, path=str(path), kind="container", etag=etag, size_bytes=path.stat().st_size)
    if fault is not None:
        yield _corrupt(path, f"{key}!", etag, fault)
    yield from _units(kind, path, key, etag, _labelled(items, str(path), with_masks=with_masks))


def _corrupt(path: Path, key: str, etag: str, fault: Exception) -> Item:
    size_bytes = path.stat().st_size
    return Item(source=key, place=str(path), size_bytes=size_bytes, etag=etag, refusal=refusal("corrupt_container", str(fault)))


def _units(kind: str, path: Path, key: str, etag: str, found: Iterable[Item | OtherFile]) -> Iterator[SourceUnit | OtherFile]:
    items: list[Item] = []
    size_bytes = unit_count = 0
    for item in found:
        if isinstance(item, OtherFile):
            yield item
            continue
        items.append(item)
        size_bytes += item.size_bytes
        if len(items) >= unit_items(unit_count) or size_bytes >= UNIT_BYTES:
            yield SourceUnit(kind=kind, path=str(path), source=key, items=tuple(items), etag=etag)
            items, size_bytes, unit_count = [], 0, unit_count + 1
    if items:
        yield SourceUnit(kind=kind, path=str(path), source=key, items=tuple(items), etag=etag)


def _zip_items(path: Path, key: str, etag: str) -> Iterator[Item]:
    names = MemberNames(key)
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
    _check_overlap(members)
    for info in members:
        packed = f"{info.compress_type}:{info.compress_size}:{info.CRC:08x}"
        yield names.item(zip_name(info), info.header_offset, info.file_size, etag, _zip_refusal(info), packed)


def _check_overlap(members: Iterable[zipfile.ZipInfo]) -> None:
    """Raise if two members claim the same bytes.

    Source: Fifield, "A better zip bomb", WOOT 2019: by overlapping members 10 MB unpack to 281 TB.
    """
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise zipfile.BadZipFile(f"members overlap at byte {info.header_offset:,}, as in a zip bomb")
        end = info.header_offset + 30 + info.compress_size


def zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; many tools write UTF-8 and do not say so, and Python then reads it as code page 437."""
    name = info.orig_filename.split("\0", 1)[0]
    if info.flag_bits & 0x800 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name


def _zip_refusal(info: zipfile.ZipInfo) -> Refusal | None:
    kind = (info.external_attr >> 16) & 0o170000
    if unsafe := unsafe_member(info.filename, info.file_size, is_plain=kind in {0, 0o100000}):
        return unsafe
    if info.file_size > _HARMLESS_BYTES and info.file_size > BOMB_RATIO * max(1, info.compress_size):
        return refusal("unsafe_member", f"it unpacks from {info.compress_size:,} to {info.file_size:,} bytes")
    return refusal("unreadable", "it is encrypted") if info.flag_bits & 0x1 else None


def _tar_items(path: Path, key: str, etag: str) -> Iterator[Item]:
    names = MemberNames(key)
    faults: list[str] = []
    with tarfile.open(path, "r:", tarinfo=strict_headers(faults)) as archive:
        size_bytes = path.stat().st_size
        for info in archive:
            if info.isdir():
                continue
            if info.offset_data + info.size > size_bytes:
                raise tarfile.ReadError(f"it ends within the member '{info.name}'")
            refused = unsafe_member(info.name, info.size, is_plain=info.isreg() and not info.issparse())
            yield names.item(info.name, info.offset_data, info.size, etag, refused)
    if faults:
        raise tarfile.ReadError(f"its headers break off: {faults[0]}")


def strict_headers(faults: list[str]) -> type[tarfile.TarInfo]:
    """Return a kind of header that notes what ``tarfile`` takes, without a word, for the end of the archive."""

    class StrictHeader(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> StrictHeader:
            try:
                return super().frombuf(buf, encoding, errors)
            except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as fault:  # type: ignore[attr-defined] # undocumented
                faults.append(str(fault))
                raise

    return StrictHeader


class MemberNames:
    """Keys of an archive's members; a name that comes again gets a number."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.seen: dict[str, int] = {}

    def item(self, name: str, offset: int, size_bytes: int, etag: str, refused: Refusal | None, packed: str = "") -> Item:
        """Return the next member of a name."""
        shown, raw = printable(name)
        self.seen[name] = self.seen.get(name, 0) + 1
        number = self.seen[name]
        source = f"{self.key}!{shown}" + (f"#{number}" if number > 1 else "")
        return Item(
            source=source, place=name, raw=raw, offset=offset, size_bytes=size_bytes, etag=etag, refusal=refused, packed=packed
        )


def unsafe_member(name: str, size_bytes: int, *, is_plain: bool) -> Refusal | None:
    """Return why a member must not be read, if it must not: a link or device, too large, or of a path that leaves the archive."""
    if not is_plain:
        return refusal("unsafe_member", "it is a link, a device or a sparse file")
    if size_bytes > MAX_PAYLOAD_BYTES:
        return refusal("unsafe_member", f"it unpacks to {size_bytes:,} bytes; at most {MAX_PAYLOAD_BYTES:,} are read")
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return refusal("unsafe_member", "its path leaves the archive")
    return None


def _labelled(items: list[Item], path: str, *, with_masks: bool) -> Iterator[Item | OtherFile]:
    """Yield the members that are images with their class folders, and the others as what they are."""
    import dataclasses

    folders: dict[str, bool] = {}
    for item in items:
        folder = posixpath.dirname(item.place)
        folders[folder] = folders.get(folder, False) or is_claimed(item)
    classes = class_folders(folders)
    stems_in = stems_by_folder(item.place for item in items if is_claimed(item))
    for item in items:
        folder = posixpath.dirname(item.place)
        if not is_claimed(item):
            yield other_member(item, path)
        elif with_masks and item.refusal is None and is_mask(item.place, stems_in):
            yield dataclasses.replace(other_member(item, path), kind="mask")
        elif folder in classes:
            yield dataclasses.replace(item, folder_label=posixpath.basename(printable(folder)[0]))
        else:
            yield item


def is_claimed(item: Item) -> bool:
    """Return whether a member is to be examined: by its ending, or because it has none and is no annotation."""
    suffix = posixpath.splitext(item.place)[1].lower()
    return not _left_behind(item.place) and (not suffix or claims_image(suffix))


def _left_behind(place: str) -> str | None:
    """Return what a member is that a system, not a person, put there: ``hidden``, ``system``, or None."""
    folder, _, base = place.replace("\\", "/").rpartition("/")
    if base.lower() in SYSTEM_NAMES or any(part.lower() in SYSTEM_NAMES for part in folder.split("/")):
        return "system"
    return "hidden" if base.startswith(".") else None


def other_member(item: Item, archive: str) -> OtherFile:
    """Return a member that is no image as what it is; one that must not be read is no annotation."""
    base = posixpath.basename(item.place)
    suffix = posixpath.splitext(base)[1].lower()
    left_behind = _left_behind(item.place)
    kind = f"skipped({left_behind})" if left_behind else "annotation" if suffix in ANNOTATION_SUFFIXES else "skipped(other)"
    if kind == "annotation" and item.refusal is not None:
        kind = f"skipped({item.refusal.reason})"
    return OtherFile(
        source=item.source,
        path=archive,
        kind=kind,
        member=item.place,
        etag=item.etag,
        size_bytes=item.size_bytes,
        offset=item.offset,
        packed=item.packed,
    )
