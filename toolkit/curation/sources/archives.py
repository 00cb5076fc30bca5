"""Archives: zip, tar and compressed tar. Members are read in place, never unpacked to a path of their choosing."""

from __future__ import annotations

import dataclasses
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
from toolkit.curation.sources.files import container_refusal
from toolkit.curation.sources.masks import is_mask
from toolkit.curation.sources.member_table import MemberTable
from toolkit.curation.sources.units import (
    MAX_PAYLOAD_BYTES,
    SYSTEM_NAMES,
    UNIT_BYTES,
    Item,
    OtherFile,
    SourceUnit,
    class_folders,
    member_key,
    printable,
    unit_items,
)
from toolkit.curation.sources.zip_directory import zip_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from toolkit.curation.sources.zip_directory import ZipEntry

__all__ = [
    "ARCHIVE_FAULTS",
    "BOMB_RATIO",
    "MemberNames",
    "compression_of",
    "is_archive",
    "is_claimed",
    "list_archive",
    "other_member",
    "says_nothing",
    "strict_headers",
    "unread_archive",
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
_UNREAD: Final = {".rar": "a RAR archive", ".7z": "a 7z archive"}

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


def unread_archive(name: str, *, is_within: bool = False) -> Refusal | None:
    """Return why an archive is not read, by its name: it is of a kind that is not, or lies within another.

    Examples
    --------
    >>> unread_archive("a.RAR").reason, unread_archive("a.zip"), unread_archive("a.zip", is_within=True).reason
    ('unsupported_container', None, 'unsupported_container')
    """
    suffix = posixpath.splitext(name)[1].lower()
    if suffix in _UNREAD:
        return refusal("unsupported_container", f"it is {_UNREAD[suffix]}")
    return refusal("unsupported_container", "it lies within another archive") if is_within and is_archive(name) else None


def list_archive(path: Path, key: str, etag: str, *, with_masks: bool = True) -> Iterator[SourceUnit | OtherFile | Item]:
    """Yield the units and other files of an archive; an archive that cannot be listed is one refused item."""
    if compression_of(path.name) is not None:
        yield OtherFile(source=key, path=str(path), kind="container", etag=etag, size_bytes=path.stat().st_size)
        yield SourceUnit(kind="tar_stream", path=str(path), source=key, etag=etag)
        return
    kind = "zip" if path.name.lower().endswith(".zip") else "tar"
    members = MemberTable(key, etag, is_claimed)
    fault: Exception | None = None
    try:
        _list_zip(path, members) if kind == "zip" else _list_tar(path, members)
    except ARCHIVE_FAULTS as broken:
        fault = broken
    if fault is not None and (kind == "zip" or not len(members)):  # what a broken directory says of members is worth nothing
        yield _corrupt(path, key, etag, fault)
        return
    yield OtherFile(source=key, path=str(path), kind="container", etag=etag, size_bytes=path.stat().st_size)
    if fault is not None:
        yield _corrupt(path, f"{key}!", etag, fault)
    yield from _units(kind, path, key, etag, _labelled(members, str(path), with_masks=with_masks))


def _corrupt(path: Path, key: str, etag: str, fault: Exception) -> Item:
    return Item(source=key, place=str(path), size_bytes=path.stat().st_size, etag=etag, refusal=container_refusal(fault))


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


def _list_zip(path: Path, members: MemberTable) -> None:
    """List the members of a zip, none of which may claim the bytes of another.

    Source: Fifield, "A better zip bomb", WOOT 2019: by overlapping members 10 MB unpack to 281 TB.
    """
    with path.open("rb") as file:
        for entry in zip_entries(file):
            if entry.name.endswith("/"):
                continue
            members.add(entry.name, entry.offset, entry.size_bytes, _zip_refusal(entry), entry.packed)
            members.span(entry.offset, entry.offset + 30 + entry.packed_bytes)
    if (at := members.overlap_at()) is not None:
        raise zipfile.BadZipFile(f"members overlap at byte {at:,}, as in a zip bomb")


def zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; many tools write UTF-8 and do not say so, and Python then reads it as code page 437."""
    name = info.orig_filename.split("\0", 1)[0]
    if info.flag_bits & 0x800 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name


def _zip_refusal(entry: ZipEntry) -> Refusal | None:
    if unsafe := unsafe_member(entry.name, entry.size_bytes, is_plain=entry.is_plain):
        return unsafe
    if entry.size_bytes > _HARMLESS_BYTES and entry.size_bytes > BOMB_RATIO * max(1, entry.packed_bytes):
        return refusal("unsafe_member", f"it unpacks from {entry.packed_bytes:,} to {entry.size_bytes:,} bytes")
    return refusal("unreadable", "it is encrypted") if entry.is_encrypted else None


def _list_tar(path: Path, members: MemberTable) -> None:
    faults: list[str] = []
    with tarfile.open(path, "r:", tarinfo=strict_headers(faults)) as archive:
        size_bytes = path.stat().st_size
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # it would hold every header
            if info.isdir():
                continue
            if info.offset_data + info.size > size_bytes:
                raise tarfile.ReadError(f"it ends within the member '{info.name}'")
            refused = unsafe_member(info.name, info.size, is_plain=info.isreg() and not info.issparse())
            members.add(info.name, info.offset_data, info.size, refused)
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
        source = member_key(self.key, shown, self.seen[name])
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


def _labelled(members: MemberTable, path: str, *, with_masks: bool) -> Iterator[Item | OtherFile]:
    """Yield the members that are images with their class folders, and the others as what they are."""
    classes = class_folders(members.folders)
    for item in members.items():
        folder = posixpath.dirname(item.place)
        if not is_claimed(item.place) and not says_nothing(item):
            yield other_member(item, path)
        elif with_masks and item.refusal is None and is_mask(item.place, members.stems.__contains__):
            other = other_member(item, path)
            yield other if isinstance(other, Item) else dataclasses.replace(other, kind="mask")
        elif folder in classes:
            yield dataclasses.replace(item, folder_label=posixpath.basename(printable(folder)[0]))
        else:
            yield item


def is_claimed(place: str) -> bool:
    """Return whether a member is to be examined: by its ending, or because it has none and is no annotation."""
    suffix = posixpath.splitext(place)[1].lower()
    return not _left_behind(place) and (not suffix or claims_image(suffix))


def says_nothing(item: Item) -> bool:
    """Return whether a member's ending is none that is known, so that its first bytes are to say whether it is an image."""
    suffix = posixpath.splitext(item.place)[1].lower()
    is_known = not suffix or claims_image(suffix) or suffix in ANNOTATION_SUFFIXES
    return not (is_known or item.refusal or _left_behind(item.place) or unread_archive(item.place, is_within=True))


def _left_behind(place: str) -> str | None:
    """Return what a member is that a system, not a person, put there: ``hidden``, ``system``, or None."""
    folder, _, base = place.replace("\\", "/").rpartition("/")
    if base.lower() in SYSTEM_NAMES or any(part.lower() in SYSTEM_NAMES for part in folder.split("/")):
        return "system"
    return "hidden" if base.startswith(".") else None


def other_member(item: Item, archive: str) -> OtherFile | Item:
    """Return a member that is no image as what it is: an archive is refused; what must not be read is no annotation."""
    base = posixpath.basename(item.place)
    suffix = posixpath.splitext(base)[1].lower()
    left_behind = _left_behind(item.place)
    if not left_behind and (why := unread_archive(base, is_within=True)) is not None:
        return dataclasses.replace(item, refusal=item.refusal or why)
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
