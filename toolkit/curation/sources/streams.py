"""Compressed tars: one stream from start to end, whose members are laid down on the way, since they cannot be sought again."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import zstandard

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.room import no_room
from toolkit.curation.sniffing import is_image
from toolkit.curation.sources.archives import (
    ARCHIVE_FAULTS,
    BOMB_RATIO,
    MemberNames,
    compression_of,
    is_claimed,
    other_member,
    says_nothing,
    strict_headers,
    unsafe_member,
)
from toolkit.curation.sources.files import container_refusal
from toolkit.curation.sources.members import HEAD_BYTES
from toolkit.curation.sources.units import Item, OtherFile, SourceUnit
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["open_stream", "staged_path", "stream_items"]

_STREAM_BYTES: Final = 16 * 2**30
"""A stream that has given this much, and more than the ratio of a bomb, is left there."""

_BREAKS_OFF: Final = "it breaks off: "

_NOTE_BYTES: Final = 16 * 2**20
"""Annotations up to this size are laid down too, so that the stream need not be read again for each."""


def open_stream(path: str) -> IO[bytes]:
    """Return the unpacked bytes of a tar as a stream."""
    kind = compression_of(path)
    if kind is None:
        return Path(path).open("rb")
    if kind == "zst":
        return zstandard.ZstdDecompressor().stream_reader(Path(path).open("rb"), closefd=True, read_across_frames=True)
    openers: dict[str | None, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    stream: IO[bytes] = openers[kind](path, "rb")
    return stream


def stream_items(unit: SourceUnit, staging: Path | None) -> Iterator[tuple[Item, bytes | Refusal | OtherFile]]:
    """Yield the members of a compressed tar as they come by; their bytes are staged, since they cannot be sought again."""
    names, given_bytes = MemberNames(unit.source), 0
    faults: list[str] = []
    broken: Refusal | None = None
    header = strict_headers(faults)
    try:
        limit_bytes = max(_STREAM_BYTES, BOMB_RATIO * Path(unit.path).stat().st_size)
        with (
            open_stream(unit.path) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=header) as archive,
        ):
            for info in archive:
                archive.members.clear()  # type: ignore[attr-defined] # it would hold every header
                if info.isdir():
                    continue
                given_bytes += info.size
                if given_bytes > limit_bytes:
                    raise tarfile.ReadError(f"it unpacks to more than {limit_bytes:,} bytes, as a bomb does")
                refused = unsafe_member(info.name, info.size, is_plain=info.isreg() and not info.issparse())
                item = names.item(info.name, 0, info.size, unit.etag, refused)
                yield item, _stream_member(archive, info, item, staging, unit)
    except ARCHIVE_FAULTS as fault:
        broken = container_refusal(fault, _BREAKS_OFF)
    if faults:
        broken = refusal("corrupt_container", f"{_BREAKS_OFF}{faults[0]}")
    if broken is not None:
        yield Item(source=unit.source, place=unit.path, etag=unit.etag, refusal=broken), broken


def _stream_member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, item: Item, staging: Path | None, unit: SourceUnit
) -> bytes | Refusal | OtherFile:
    if not is_claimed(item.place) and not says_nothing(item):
        return _other(archive, info, item, staging, unit)
    if item.refusal is not None:
        return item.refusal
    payload = _unpacked(archive, info) if is_claimed(item.place) else _unpacked_image(archive, info)
    if payload is None:
        return _other(archive, info, item, staging, unit)
    _stage(staging, item.source, payload)
    return payload


def _other(
    archive: tarfile.TarFile, info: tarfile.TarInfo, item: Item, staging: Path | None, unit: SourceUnit
) -> bytes | Refusal | OtherFile:
    other = other_member(item, unit.path)
    if isinstance(other, Item):
        return other.refusal or b""
    if other.kind == "annotation" and item.size_bytes <= _NOTE_BYTES:
        _stage(staging, item.source, _unpacked(archive, info))
    return other


def _unpacked_image(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes | None:
    """Return the bytes of a member that is an image by the first of them; None of another, which may be as long as a film."""
    reader = archive.extractfile(info)
    head = reader.read(HEAD_BYTES) if reader is not None else b""
    return _whole(head + reader.read(), info) if reader is not None and is_image(head) else None


def _unpacked(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    reader = archive.extractfile(info)
    return _whole(reader.read() if reader is not None else b"", info)


def _whole(payload: bytes, info: tarfile.TarInfo) -> bytes:
    if len(payload) != info.size:
        raise EOFError(f"it ends within the member '{info.name}'")
    return payload


def staged_path(staging: Path, source: str) -> Path:
    """Return where the bytes of a member of a compressed tar are staged."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    return staging / "members" / digest[:2] / digest


def _stage(staging: Path | None, source: str, payload: bytes) -> None:
    """Lay a member down, whole or not at all: a run that was killed leaves none that is cut short."""
    if staging is None:
        return
    path = staged_path(staging, source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        Path(temporary).replace(path)
    except OSError as fault:  # not the archive's fault, so it must not be taken for one
        cannot = f"'{path}' cannot be written: {fault.strerror or fault}; see to it and run the same command again to go on"
        raise DatasetError(no_room(staging, fault) or cannot) from fault
