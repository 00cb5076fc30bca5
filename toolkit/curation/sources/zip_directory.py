"""The directory of a zip, read entry by entry: ``zipfile`` makes an object of each member and holds them all."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final
from zipfile import BadZipFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ZipEntry", "zip_entries"]

_END: Final = struct.Struct("<4s4H2LH")
"""Signature, disks, counts, size and offset of the directory, length of the comment. Source: PKWARE APPNOTE 6.3.10, 4.3.16."""
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
"""As above, where 32 bits do not do. Source: as above, 4.3.14."""
_PLACE_64: Final = struct.Struct("<4sLQL")
"""Where that lies. Source: as above, 4.3.15."""
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
"""A member. Source: as above, 4.3.12."""

_COMMENT_BYTES: Final = 2**16
_MOST_BYTES: Final = 2**60
_UTF8: Final = 0x800
_FULL: Final = 0xFFFF_FFFF
"""What stands for a number that is found in the extra field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipEntry:
    """What the directory says of a member."""

    name: str
    """As written; many tools write UTF-8 and do not say so."""
    packed: str
    """How it is packed, as ``method:bytes:crc32``."""
    packed_bytes: int
    """Bytes in the archive."""
    size_bytes: int
    """What it unpacks to."""
    is_plain: bool
    """Whether it is a file, not a link or a device, as far as the directory says."""
    is_encrypted: bool
    """Whether it takes a password."""
    offset: int
    """Of its own header, in bytes."""


def zip_entries(file: IO[bytes]) -> Iterator[ZipEntry]:
    """Yield the members that the directory of a zip names, folders too.

    Raises
    ------
    BadZipFile
        If there is no directory, or it breaks off.
    """
    start, size_bytes, shift = _directory(file)
    file.seek(start)
    read_bytes = 0
    while read_bytes < size_bytes:
        fixed = file.read(_ENTRY.size)
        if len(fixed) < _ENTRY.size or not fixed.startswith(b"PK\x01\x02"):
            raise BadZipFile("its directory breaks off")
        fields = _ENTRY.unpack(fixed)
        lengths = fields[10:13]
        rest = file.read(sum(lengths))
        if len(rest) < sum(lengths):
            raise BadZipFile("its directory breaks off")
        read_bytes += _ENTRY.size + sum(lengths)
        yield _entry(fields, rest[: lengths[0]], rest[lengths[0] : lengths[0] + lengths[1]], shift)


def _entry(fields: tuple[int, ...], name: bytes, extra: bytes, shift: int) -> ZipEntry:
    flags, method, checksum, mode = fields[3], fields[4], fields[7], (fields[15] >> 16) & 0o170000
    packed_bytes, size_bytes, offset = _sizes(fields[8], fields[9], fields[16], extra)
    text = name.partition(b"\0")[0].decode("utf-8", "strict" if flags & _UTF8 else "surrogateescape")
    return ZipEntry(
        name=text,
        packed=f"{method}:{packed_bytes}:{checksum:08x}",
        packed_bytes=packed_bytes,
        size_bytes=size_bytes,
        is_plain=mode in {0, 0o100000},
        is_encrypted=bool(flags & 1),
        offset=offset + shift,
    )


def _sizes(packed_bytes: int, size_bytes: int, offset: int, extra: bytes) -> tuple[int, int, int]:
    """Return sizes and offset; those that need more than 32 bits stand in the extra field 1. Source: as above, 4.5.3."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            wide = [struct.unpack_from("<Q", extra, at)[0] for at in range(4, min(4 + length, len(extra)) - 7, 8)]
            if len(wide) < (size_bytes, packed_bytes, offset).count(_FULL):
                raise BadZipFile("an entry of its directory says less than it should")
            size_bytes = wide.pop(0) if size_bytes == _FULL else size_bytes
            packed_bytes = wide.pop(0) if packed_bytes == _FULL else packed_bytes
            offset = wide.pop(0) if offset == _FULL else offset
            break
        extra = extra[4 + length :]
    if max(packed_bytes, size_bytes, offset) >= _MOST_BYTES:
        raise BadZipFile("an entry of its directory claims more bytes than there are anywhere")
    return packed_bytes, size_bytes, offset


def _directory(file: IO[bytes]) -> tuple[int, int, int]:
    """Return where the directory begins, its size in bytes, and by how much offsets are off: something may stand before a zip."""
    end_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, end_bytes - _END.size - _COMMENT_BYTES))
    tail = file.read()
    at = _end_of(tail)
    place = end_bytes - len(tail) + at
    *_, size_bytes, start, _ = _END.unpack_from(tail, at)
    before = _END_64.size + _PLACE_64.size
    file.seek(max(0, place - before))
    wide = file.read(before) if place >= before else b""
    if wide[_END_64.size :].startswith(b"PK\x06\x07") and wide.startswith(b"PK\x06\x06"):
        *_, size_bytes, start = _END_64.unpack_from(wide)
        place -= before
    shift = place - size_bytes - start
    if place < size_bytes:
        raise BadZipFile("its directory cannot be where it says")
    return place - size_bytes, size_bytes, shift


def _end_of(tail: bytes) -> int:
    """Return where the end record lies: the last whose comment reaches the end of the file, else the last of all."""
    at = last = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\x05\x06", 0, at)
    if last < 0 or last + _END.size > len(tail):
        raise BadZipFile("it has no directory: it is no zip, or it was cut off")
    return last
