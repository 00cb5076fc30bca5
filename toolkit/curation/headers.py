"""What an image's header says, before anything is decoded: size, depth, frames. The limits are held against this."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JpegFrame", "jpeg_frame", "png_chunks", "stored_size", "without_text"]

_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers. Source: ITU-T T.81, table B.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegFrame:
    """The start-of-frame segment of a JPEG."""

    marker: int
    """Kind of coding: 0xC0 baseline, 0xC2 progressive, 0xC3 lossless, 0xC9 arithmetic, ..."""
    bits: int
    """Bits per sample."""
    width_px: int
    """Stored width."""
    height_px: int
    """Stored height."""
    components: int
    """1 gray, 3 colour, 4 CMYK."""
    has_more_images: bool
    """Whether a multi-picture index (MPF) stands before it."""


def jpeg_frame(payload: bytes) -> JpegFrame | None:
    """Return the frame of a JPEG, or None if no frame is found before the data ends or turns into something else."""
    position, has_more = 2, False
    while position + 4 <= len(payload):
        if payload[position] != 0xFF:
            position = payload.find(b"\xff", position)  # bytes between segments: libjpeg skips them too
            if position < 0:
                return None
            continue
        marker = payload[position + 1]
        if marker in {255, 1} or 208 <= marker <= 215:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in {0xD9, 0xDA}:
            return None
        (length,) = struct.unpack_from(">H", payload, position + 2)
        if marker in _FRAME_MARKERS and position + 10 <= len(payload):
            bits, height, width, components = struct.unpack_from(">BHHB", payload, position + 4)
            return JpegFrame(
                marker=marker, bits=bits, width_px=width, height_px=height, components=components, has_more_images=has_more
            )
        has_more = has_more or (marker == 0xE2 and payload[position + 4 : position + 8] == b"MPF\0")
        position += 2 + length
    return None


def png_chunks(payload: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each chunk of a PNG, up to where the data ends."""
    position = 8
    while position + 12 <= len(payload):
        length, kind = struct.unpack_from(">I4s", payload, position)
        end = position + 12 + length
        yield kind, position, end
        position = end


def without_text(payload: bytes) -> bytes:
    """Return a PNG without its text chunks, which hold no pixels and may unpack to more than memory."""
    parts = [payload[:8]]
    parts += [payload[start:end] for kind, start, end in png_chunks(payload) if kind not in {b"tEXt", b"zTXt", b"iTXt"}]
    return b"".join(parts)


def stored_size(payload: bytes, kind: str) -> tuple[int, int] | None:
    """Return (width, height) in pixels from the header of a PNG, GIF or BMP; None where Pillow's own probe is as cheap.

    Examples
    --------
    >>> stored_size(b"GIF89a" + bytes([44, 1, 200, 0]), "gif")
    (300, 200)
    """
    try:
        if kind == "png" and payload[12:16] == b"IHDR":
            width, height = struct.unpack_from(">II", payload, 16)
        elif kind == "gif":
            width, height = struct.unpack_from("<HH", payload, 6)
        elif kind == "bmp" and int.from_bytes(payload[14:18], "little") >= 40:
            width, height = (abs(side) for side in struct.unpack_from("<ii", payload, 18))
        else:
            return None
    except struct.error:
        return None
    return width, height
