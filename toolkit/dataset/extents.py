"""Where in a shard each image's bytes lie, so that one image costs one read.

Image bytes are stored plain: in a data page, after the definition levels, each value is its length in four bytes and then
its bytes. The sizes stand in a column of facts, so offsets follow from the pages' headers alone, without touching the
images. What follows is checked before use: the length before the bytes must be the expected one, and the caller compares
the sha256; anything unexpected (a null, another encoding or writer) means reading the whole row group instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import pyarrow.parquet as pq

from toolkit.dataset.schema import is_hashed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["GroupExtents", "group_extents", "image_offsets", "read_extent"]

_BYTES_COLUMN: Final = "image.bytes"
_HEADER_BYTES: Final = 256
"""Read for a page's header: those of a column without statistics take about 30 bytes."""
_LENGTH_BYTES: Final = 4
_DATA_PAGE: Final = 0
_PLAIN: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupExtents:
    """The images of one row group: what they hash to, and where they lie."""

    sha256: Sequence[str | None]
    """Hash of the original bytes by row; None where the stored bytes were re-encoded."""
    size_bytes: Sequence[int]
    """Length by row."""
    offset_bytes: Sequence[int] | None
    """Where each image begins in the shard; None where that cannot be told."""


def group_extents(path: Path, metadata: pq.FileMetaData, group: int) -> GroupExtents:
    """Return where the images of a row group lie, from the pages' headers and the column of sizes.

    Parameters
    ----------
    path : Path
        The shard.
    metadata : pyarrow.parquet.FileMetaData
        Its footer.
    group : int
        Which row group.
    """
    with path.open("rb") as file:
        with pq.ParquetFile(file, metadata=metadata) as shard:
            facts = shard.read_row_group(group, columns=["sha256", "size_bytes", "encoding"], use_threads=False).to_pydict()
        sizes = facts["size_bytes"]
        hashes = zip(facts["sha256"], facts["encoding"], strict=True)
        offsets = image_offsets(file, metadata, group, sizes)
    return GroupExtents(
        sha256=[sha256 if is_hashed(encoding) else None for sha256, encoding in hashes],
        size_bytes=sizes,
        offset_bytes=offsets,
    )


def image_offsets(file: BinaryIO, metadata: pq.FileMetaData, group: int, sizes: Sequence[int | None]) -> list[int] | None:
    """Return where each image of a row group begins in the shard; None if that cannot be told.

    Parameters
    ----------
    file : binary file
        The shard, opened.
    metadata : pyarrow.parquet.FileMetaData
        Its footer.
    group : int
        Which row group.
    sizes : sequence of int
        Length of each image, in bytes.
    """
    known = [size for size in sizes if size is not None]
    try:
        return None if len(known) < len(sizes) else _offsets(file, _column(metadata.row_group(group)), known)
    except (ValueError, IndexError, KeyError):
        return None


def read_extent(path: Path, extents: GroupExtents, row: int) -> bytes | None:
    """Return the bytes of one image by one read, or None if they are not where they were expected."""
    if extents.offset_bytes is None:
        return None
    size_bytes = extents.size_bytes[row]
    with path.open("rb", buffering=0) as file:
        file.seek(extents.offset_bytes[row] - _LENGTH_BYTES)
        found = file.read(_LENGTH_BYTES + size_bytes)
    if len(found) != _LENGTH_BYTES + size_bytes or int.from_bytes(found[:_LENGTH_BYTES], "little") != size_bytes:
        return None
    return found[_LENGTH_BYTES:]


def _column(rows: Any) -> Any:
    for i in range(rows.num_columns):
        column = rows.column(i)
        if column.path_in_schema == _BYTES_COLUMN and column.compression == "UNCOMPRESSED" and not column.has_dictionary_page:
            return column
    raise KeyError(_BYTES_COLUMN)


def _offsets(file: BinaryIO, column: Any, sizes: Sequence[int]) -> list[int]:
    """Return where each value begins, page by page.

    Raises
    ------
    ValueError
        If a page is not a plain one of the first version, or the pages do not hold the values.
    """
    offsets: list[int] = []
    place, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
    while place < end:
        file.seek(place)
        head = file.read(_HEADER_BYTES)
        header, header_bytes = read_struct(head, 0)
        page = header[5]
        if header[1] != _DATA_PAGE or page[2] != _PLAIN:
            raise ValueError("not a plain data page")
        levels_bytes = _LENGTH_BYTES + int.from_bytes(head[header_bytes : header_bytes + _LENGTH_BYTES], "little")
        held = sizes[len(offsets) : len(offsets) + page[1]]
        starts = accumulate((_LENGTH_BYTES + size for size in held), initial=place + header_bytes + levels_bytes)
        offsets += [start + _LENGTH_BYTES for start in list(starts)[:-1]]
        page_end = place + header_bytes + header[3]
        if len(held) != page[1] or (held and offsets[-1] + held[-1] != page_end):
            raise ValueError("the values do not fill the page")
        place = page_end
    if len(offsets) != len(sizes):
        raise ValueError("the pages do not hold the values")
    return offsets


def read_struct(buffer: bytes, place: int) -> tuple[dict[int, Any], int]:
    """Return the fields of a Thrift struct in the compact protocol, by number, and the place after it.

    Only what Parquet's page headers are made of: booleans, integers, binaries and structs.

    Source: Apache Thrift, "Thrift Compact protocol encoding"; Apache Parquet, ``parquet.thrift``, ``PageHeader``.

    Raises
    ------
    ValueError, IndexError
        If the bytes are not such a struct.

    Examples
    --------
    >>> read_struct(bytes([0x15, 0x00, 0x15, 0xC8, 0x01, 0x2C, 0x15, 0x06, 0x00, 0x00]), 0)
    ({1: 0, 2: 100, 4: {1: 3}}, 10)
    """
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head = buffer[place]
        place += 1
        if head == 0:
            return fields, place
        delta, kind = head >> 4, head & 0x0F
        if delta:
            number += delta
        else:
            number, place = _zigzag(buffer, place)
        fields[number], place = _value(buffer, place, kind)


def _value(buffer: bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, place
    if kind == 3:
        return buffer[place], place + 1
    if kind in (4, 5, 6):
        return _zigzag(buffer, place)
    if kind == 8:
        length, place = _varint(buffer, place)
        return buffer[place : place + length], place + length
    if kind == 12:
        return read_struct(buffer, place)
    raise ValueError(f"unexpected Thrift type {kind}")


def _zigzag(buffer: bytes, place: int) -> tuple[int, int]:
    value, place = _varint(buffer, place)
    return (value >> 1) ^ -(value & 1), place


def _varint(buffer: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        part = buffer[place]
        place += 1
        value |= (part & 0x7F) << shift
        if part < 0x80:
            return value, place
        shift += 7
