"""The headers of a column's data pages: where each page's values begin, how many there are, and what they add up to.

Pages are walked by their headers alone; the values between them are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Page", "plain_pages", "read_struct"]

_HEADER_BYTES: Final = 256
"""Read for a page's header: those of a column without statistics take about 30 bytes."""
_LENGTH_BYTES: Final = 4
_DATA_PAGE: Final = 0
_PLAIN: Final = 0
_CRC: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A plain data page of the first version, as it lies in the file."""

    start_bytes: int
    """Where it begins, behind its header: what its checksum covers."""
    values_start_bytes: int
    """Where its values begin, behind the definition levels."""
    end_bytes: int
    """The byte after its last."""
    value_count: int
    """Values in it."""
    checksum: bytes | None
    """CRC-32 of its bytes, the highest byte first; None where the writer left it out."""


def plain_pages(file: BinaryIO, column: Any) -> list[Page]:
    """Return the data pages of a column chunk.

    Parameters
    ----------
    file : binary file
        The Parquet file, opened.
    column : pyarrow.parquet.ColumnChunkMetaData
        The column chunk's place in it.

    Raises
    ------
    ValueError, IndexError, KeyError
        If a page is not a plain one of the first version, or what is there is no header.
    """
    pages: list[Page] = []
    place, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
    while place < end:
        file.seek(place)
        head = file.read(_HEADER_BYTES)
        header, header_bytes = read_struct(head, 0)
        page = header[5]
        if header[1] != _DATA_PAGE or page[2] != _PLAIN or header[3] < 0:
            raise ValueError("not a plain data page")
        start = place + header_bytes
        levels_bytes = _LENGTH_BYTES + int.from_bytes(head[header_bytes : header_bytes + _LENGTH_BYTES], "little")
        crc = header.get(_CRC)
        pages.append(
            Page(
                start_bytes=start,
                values_start_bytes=start + levels_bytes,
                end_bytes=start + header[3],
                value_count=page[1],
                checksum=None if crc is None else (crc & 0xFFFFFFFF).to_bytes(4, "big"),
            )
        )
        place = start + header[3]
    return pages


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
