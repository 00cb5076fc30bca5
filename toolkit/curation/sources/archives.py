"""Archives: zip, tar and compressed tar. Members are read in place, never unpacked to a path of their choosing."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

import zstandard

from toolkit.curation.annotations import ANNOTATION_SUFFIXES
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sniffing import IMAGE_SUFFIXES
from toolkit.curation.sources.units import (
    SYSTEM_NAMES,
    UNIT_BYTES,
    UNIT_ITEMS,
    Item,
    OtherFile,
    SourceUnit,
    class_folders,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["is_archive", "list_archive", "open_stream", "read_members", "staged_path", "stream_items"]

_STREAMS: Final = {
    ".tar.gz": "gz",
    ".tgz": "gz",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.zst": "zst",
}
_MEMBER_BYTES: Final = 2**30
_RATIO: Final = 2_000
"""A member that unpacks to more than 1 GiB, or 2,000 times its size and 64 MiB, is taken for a bomb."""

_CORRUPT: Final = (
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
    return lower.endswith((".zip", ".tar")) or _compression(lower) is not None


def _compression(name: str) -> str | None:
    return next((kind for suffix, kind in _STREAMS.items() if name.lower().endswith(suffix)), None)


def list_archive(path: Path, key: str, etag: str) -> Iterator[SourceUnit | OtherFile | Item]:
    """Yield the units and other files of an archive; an archive that cannot be listed is one refused item."""
    if _compression(path.name) is not None:
        yield OtherFile(source=key, path=str(path), kind="container", etag=etag, size_bytes=path.stat().st_size)
        yield SourceUnit(kind="tar_stream", path=str(path), source=key, etag=etag)
        return
    kind = "zip" if path.name.lower().endswith(".zip") else "tar"
    items: list[Item] = []
    fault: Exception | None = None
    try:
        for item in _zip_items(path, key, etag) if kind == "zip" else _tar_items(path, key, etag):
            items.append(item)  # noqa: PERF402 -- what was listed before a fault is kept
    except _CORRUPT as broken:
        fault = broken
    if fault is not None and not items:
        yield _corrupt(path, key, etag, fault)
        return
    yield OtherFile(source=key, path=str(path), kind="container", etag=etag, size_bytes=path.stat().st_size)
    if fault is not None:
        yield _corrupt(path, f"{key}!", etag, fault)
    yield from _units(kind, path, key, etag, _labelled(items))


def _corrupt(path: Path, key: str, etag: str, fault: Exception) -> Item:
    size_bytes = path.stat().st_size
    return Item(source=key, place=str(path), size_bytes=size_bytes, etag=etag, refusal=refusal("corrupt_container", str(fault)))


def _units(kind: str, path: Path, key: str, etag: str, found: Iterable[Item | OtherFile]) -> Iterator[SourceUnit | OtherFile]:
    items: list[Item] = []
    size_bytes = 0
    for item in found:
        if isinstance(item, OtherFile):
            yield item
            continue
        items.append(item)
        size_bytes += item.size_bytes
        if len(items) >= UNIT_ITEMS or size_bytes >= UNIT_BYTES:
            yield SourceUnit(kind=kind, path=str(path), source=key, items=tuple(items), etag=etag)
            items, size_bytes = [], 0
    if items:
        yield SourceUnit(kind=kind, path=str(path), source=key, items=tuple(items), etag=etag)


def _zip_items(path: Path, key: str, etag: str) -> Iterator[Item]:
    names = _Names(key)
    with zipfile.ZipFile(path) as archive:
        for position, info in enumerate(archive.infolist()):
            if info.is_dir():
                continue
            mode = info.external_attr >> 16
            is_link = (mode & 0o170000) == 0o120000
            refused = _unsafe(info.filename, is_plain=not is_link)
            if refused is None and _is_bomb(info.file_size, info.compress_size):
                refused = refusal("unsafe_member", f"it unpacks from {info.compress_size:,} to {info.file_size:,} bytes")
            yield names.item(info.filename, position, info.file_size, etag, refused)


def _is_bomb(size_bytes: int, packed_bytes: int) -> bool:
    return size_bytes > _MEMBER_BYTES or (size_bytes > 64 * 2**20 and size_bytes > _RATIO * max(1, packed_bytes))


def _tar_items(path: Path, key: str, etag: str) -> Iterator[Item]:
    names = _Names(key)
    with tarfile.open(path, "r:", errorlevel=0, ignore_zeros=False) as archive:
        size_bytes = path.stat().st_size
        for info in archive:
            if info.isdir():
                continue
            if info.offset_data + info.size > size_bytes:
                raise tarfile.ReadError(f"it ends within the member '{info.name}'")
            yield names.item(info.name, info.offset_data, info.size, etag, _unsafe(info.name, is_plain=info.isreg()))


class _Names:
    """Keys of an archive's members; a name that comes again gets a number."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.seen: dict[str, int] = {}

    def item(self, name: str, offset: int, size_bytes: int, etag: str, refused: Refusal | None) -> Item:
        shown, raw = printable(name)
        self.seen[name] = self.seen.get(name, 0) + 1
        number = self.seen[name]
        source = f"{self.key}!{shown}" + (f"#{number}" if number > 1 else "")
        return Item(source=source, place=name, raw=raw, offset=offset, size_bytes=size_bytes, etag=etag, refusal=refused)


def _unsafe(name: str, *, is_plain: bool) -> Refusal | None:
    if not is_plain:
        return refusal("unsafe_member", "it is a link or a device")
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return refusal("unsafe_member", "its path leaves the archive")
    return None


def _labelled(items: list[Item]) -> Iterator[Item | OtherFile]:
    """Yield the members that are images with their class folders, and the others as what they are."""
    import dataclasses

    folders: dict[str, bool] = {}
    for item in items:
        folder = posixpath.dirname(item.place)
        folders[folder] = folders.get(folder, False) or _is_image(item)
    classes = class_folders(folders)
    for item in items:
        folder = posixpath.dirname(item.place)
        if not _is_image(item):
            yield _other(item)
        elif folder in classes:
            yield dataclasses.replace(item, folder_label=posixpath.basename(printable(folder)[0]))
        else:
            yield item


def _is_image(item: Item) -> bool:
    """Return whether a member is to be examined: by its ending, or because it has none and is no annotation."""
    suffix = posixpath.splitext(item.place)[1].lower()
    return not _left_behind(item.place) and (suffix in IMAGE_SUFFIXES or not suffix)


def _left_behind(place: str) -> str | None:
    """Return what a member is that a system, not a person, put there: ``hidden``, ``system``, or None."""
    folder, _, base = place.replace("\\", "/").rpartition("/")
    if base.lower() in SYSTEM_NAMES or any(part.lower() in SYSTEM_NAMES for part in folder.split("/")):
        return "system"
    return "hidden" if base.startswith(".") else None


def _other(item: Item) -> OtherFile:
    base = posixpath.basename(item.place)
    suffix = posixpath.splitext(base)[1].lower()
    left_behind = _left_behind(item.place)
    kind = f"skipped({left_behind})" if left_behind else "annotation" if suffix in ANNOTATION_SUFFIXES else "skipped(other)"
    archive = item.source.split("!", 1)[0]
    return OtherFile(source=item.source, path=archive, kind=kind, member=item.place, etag=item.etag, size_bytes=item.size_bytes)


def read_members(unit: SourceUnit) -> Iterator[tuple[Item, bytes | Refusal]]:
    """Yield the members of a zip or tar unit with their bytes, or why there are none."""
    with _opened(unit) as reader:
        for item in unit.items:
            yield item, item.refusal if item.refusal is not None else reader.read(item)


def _opened(unit: SourceUnit) -> Any:
    return _ZipReader(unit.path) if unit.kind == "zip" else _TarReader(unit.path)


class _ZipReader:
    def __init__(self, path: str) -> None:
        self.archive = zipfile.ZipFile(path)
        self.members = self.archive.infolist()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    def read(self, item: Item) -> bytes | Refusal:
        try:
            return self.archive.read(self.members[item.offset])
        except _CORRUPT as fault:
            return refusal("unreadable", str(fault))


class _TarReader:
    def __init__(self, path: str) -> None:
        self.file: IO[bytes] = Path(path).open("rb")  # noqa: SIM115 -- closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, item: Item) -> bytes | Refusal:
        try:
            self.file.seek(item.offset)
            payload = self.file.read(item.size_bytes)
        except OSError as fault:
            return refusal("unreadable", str(fault))
        return payload if len(payload) == item.size_bytes else refusal("unreadable", "the archive ends within it")


def open_stream(path: str) -> IO[bytes]:
    """Return the unpacked bytes of a compressed tar as a stream."""
    kind = _compression(path)
    if kind == "zst":
        return zstandard.ZstdDecompressor().stream_reader(Path(path).open("rb"), closefd=True)
    openers: dict[str | None, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    stream: IO[bytes] = openers[kind](path, "rb")
    return stream


def stream_items(unit: SourceUnit, staging: Path | None) -> Iterator[tuple[Item, bytes | Refusal | OtherFile]]:
    """Yield the members of a compressed tar as they come by; their bytes are staged, since they cannot be sought again."""
    names = _Names(unit.source)
    try:
        with open_stream(unit.path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                if info.isdir():
                    continue
                item = names.item(info.name, 0, info.size, unit.etag, _unsafe(info.name, is_plain=info.isreg()))
                if not _is_image(item):
                    yield item, _other(item)
                elif item.refusal is not None:
                    yield item, item.refusal
                elif info.size > _MEMBER_BYTES:
                    yield item, refusal("unsafe_member", f"it unpacks to {info.size:,} bytes")
                else:
                    reader = archive.extractfile(info)
                    payload = reader.read() if reader is not None else b""
                    _stage(staging, item.source, payload)
                    yield item, payload
    except _CORRUPT as fault:
        broken = refusal("corrupt_container", str(fault))
        yield Item(source=unit.source, place=unit.path, etag=unit.etag, refusal=broken), broken


def staged_path(staging: Path, source: str) -> Path:
    """Return where the bytes of a member of a compressed tar are staged."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    return staging / "members" / digest[:2] / digest


def _stage(staging: Path | None, source: str, payload: bytes) -> None:
    if staging is None:
        return
    path = staged_path(staging, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
