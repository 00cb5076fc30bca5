"""Encoded images that Pillow does not write: 16-bit colour, planes, floats, many channels, chunks and boxes by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """Return a PNG of packed, unfiltered rows (without their filter bytes)."""
    stride = len(rows) // height
    filtered = b"".join(b"\0" + rows[top : top + stride] for top in range(0, len(rows), stride))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b"")


def png16(values: NDArray[np.uint16], level: int = 9) -> bytes:
    """Return a PNG of 16-bit values, shape (height, width) or (height, width, channels)."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, level)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(
    values: NDArray[Any], order: str = "<", *, planar: int = 1, extra: Sequence[int] = (), photometric: int | None = None
) -> bytes:
    """Return an uncompressed TIFF, shape (height, width) or (height, width, channels).

    Source: TIFF 6.0, section 2 (structure), section 8 (the tags).
    """
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    extra = extra or ([2] if channels == 4 and photometric != 5 else [])
    laid = values if planar == 1 else np.moveaxis(values, -1, 0)
    data = laid.astype(values.dtype.newbyteorder(order)).tobytes()
    parts = 1 if planar == 1 else channels
    colour = photometric if photometric is not None else 1 if channels < 3 else 2
    tags: list[tuple[int, int, list[int]]] = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [values.dtype.itemsize * 8] * channels), (259, 3, [1]), (262, 3, [colour]),
        (273, 4, [8 + part * (len(data) // parts) for part in range(parts)]), (277, 3, [channels]), (278, 4, [height]),
        (279, 4, [len(data) // parts] * parts), (284, 3, [planar]),
    ]  # fmt: skip
    tags += [(338, 3, list(extra))] if extra else []
    tags += [(339, 3, [kind] * channels)]
    place = 8 + len(data)
    behind = place + 2 + 12 * len(tags) + 4
    entries = tail = b""
    for tag, width_code, numbers in tags:
        packed = struct.pack(order + {3: "H", 4: "I"}[width_code] * len(numbers), *numbers)
        is_long = len(packed) > 4
        field = struct.pack(order + "I", behind + len(tail)) if is_long else packed.ljust(4, b"\0")
        tail += packed if is_long else b""
        entries += struct.pack(order + "HHI", tag, width_code, len(numbers)) + field
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", place)
    return head + data + struct.pack(order + "H", len(tags)) + entries + bytes(4) + tail
