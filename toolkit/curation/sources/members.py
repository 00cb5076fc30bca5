"""Members of archives, read in place and checked: the archive is still what it was, the checksum holds, no bomb unpacks."""

from __future__ import annotations

import bz2
import os
import struct
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sources.files import etag_of

if TYPE_CHECKING:
    from types import TracebackType

    from toolkit.curation.sources.units import Item

__all__ = ["HEAD_BYTES", "MemberReader", "unpacked"]

_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
"""Signature, then the lengths of name and extra field. Source: PKWARE APPNOTE 6.3.10, section 4.3.7."""

HEAD_BYTES: Final = 1_024
"""So much of a member tells what it is."""

_STORED, _DEFLATE, _BZIP2 = 0, 8, 12
"""Methods of packing that are read. Source: PKWARE APPNOTE 6.3.10, section 4.4.5."""


class MemberReader:
    """Reads members of one zip or tar; a context manager.

    A zip member is found by its own header, not by the archive's directory: the directory of a million members takes
    seconds to read, and a unit holds a few.

    Parameters
    ----------
    path : str
        The archive.
    etag : str
        What it must still be; empty for whatever it is now.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: str, etag: str = "") -> None:
        self._file: IO[bytes] = Path(path).open("rb")  # noqa: SIM115 -- closed by __exit__
        self._is_same = not etag or etag_of(os.fstat(self._file.fileno())) == etag

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def read(self, item: Item) -> bytes | Refusal:
        """Return the bytes of a member, or why they cannot be had."""
        if not self._is_same:
            return refusal("changed_while_read", "the archive is not what it was when it was listed")
        try:
            return self._zip_member(item) if item.packed else self._exactly(item.offset, item.size_bytes)
        except (OSError, ValueError, EOFError, zlib.error, struct.error) as fault:
            return refusal("unreadable", str(fault))

    def head(self, item: Item) -> bytes:
        """Return a member's first bytes, enough to tell what it is, whatever its size; none if they cannot be had."""
        try:
            return self._zip_head(item) if item.packed else self._exactly(item.offset, min(item.size_bytes, HEAD_BYTES))
        except (OSError, ValueError, EOFError, zlib.error, struct.error):
            return b""

    def _zip_head(self, item: Item) -> bytes:
        method, stored_bytes, _ = item.packed.split(":")
        # bzip2 gives nothing before the end of its first block, of 900 kB at most
        most = 2**20 if int(method) == _BZIP2 else 4 * HEAD_BYTES
        return unpacked(self._packed(item, min(int(stored_bytes), most)), int(method), HEAD_BYTES)[:HEAD_BYTES]

    def _exactly(self, offset: int, size_bytes: int) -> bytes:
        self._file.seek(offset)
        payload = self._file.read(size_bytes)
        if len(payload) != size_bytes:
            raise EOFError("the archive ends within it")
        return payload

    def _zip_member(self, item: Item) -> bytes:
        """Return a member unpacked to exactly its declared size, its checksum checked."""
        method, stored_bytes, checksum = item.packed.split(":")
        payload = unpacked(self._packed(item, int(stored_bytes)), int(method), item.size_bytes)
        if len(payload) != item.size_bytes or f"{zlib.crc32(payload):08x}" != checksum:
            raise ValueError("it does not unpack to what the archive's directory says")
        return payload

    def _packed(self, item: Item, count_bytes: int) -> bytes:
        """Return so many bytes of a zip member as they are stored."""
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._exactly(item.offset, _LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise ValueError("there is no member where the archive's directory says")
        return self._exactly(item.offset + _LOCAL_HEADER.size + name_bytes + extra_bytes, count_bytes)


def unpacked(packed: bytes, method: int, size_bytes: int) -> bytes:
    """Return unpacked bytes, one more than declared at most: a lie about the size is noticed, and harmless."""
    if method == _STORED:
        return packed
    if method == _DEFLATE:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size_bytes + 1)
    if method == _BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, size_bytes + 1)
    raise ValueError(f"it is packed by method {method}, which is not read")
