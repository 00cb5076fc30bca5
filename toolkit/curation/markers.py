"""The parts that files of images are made of, walked without decoding: JPEG segments, PNG chunks, sizes, the EXIF turn."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolkit.dataset.png import png_chunks, without_text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "JpegFrame",
    "exif_orientation",
    "has_too_many_scans",
    "is_profile",
    "jpeg_frame",
    "jpeg_segments",
    "png_chunks",
    "png_fault",
    "stored_size",
    "without_text",
]

_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers. Source: ITU-T T.81, table B.1."""

_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
"""Frames of several scans by their nature. Source: ITU-T T.81, table B.1."""

_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length: TEM and RST0 to RST7. Source: ITU-T T.81, table B.1."""

_NEXT_MARKER: Final = re.compile(rb"\xff+[\x02-\xcf\xd8-\xfe]")
"""A marker within coded data; not a stuffed zero, not RST."""

_MAX_SCANS: Final = 100

_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegFrame:
    """The start-of-frame segment of a JPEG, and what the segments before it say."""

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
    has_more_images: bool = False
    """Whether a multi-picture index (MPF) stands before it."""
    orientation: int | None = None
    """EXIF orientation as written, 1 to 8 if it is valid; None without one."""
    has_odd_metadata: bool = False
    """Whether there is EXIF that cannot be read."""
    has_odd_profile: bool = False
    """Whether there is a colour profile that is none."""


def jpeg_segments(payload: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment of a JPEG's header, the start of the first scan included.

    The walk is libjpeg's own, bytes between segments and fill bytes skipped as it does: what is decided from the header must be
    decided from the header that the decoder will see.

    Source: libjpeg-turbo 3.1, jdmarker.c, ``next_marker`` and ``read_markers``.
    """
    position, size_bytes = 2, len(payload)
    while True:
        start = payload.find(b"\xff", position)
        if start < 0:
            return
        position = start + 1
        while position < size_bytes and payload[position] == 0xFF:
            position += 1
        if position >= size_bytes:
            return
        marker, position = payload[position], position + 1
        if marker == 0:
            continue
        if marker in _ALONE:
            continue
        if marker in {_SOI, _EOI} or position + 2 > size_bytes:
            return
        end = position + int.from_bytes(payload[position : position + 2], "big")
        yield marker, position - 2, end
        if marker == _SOS:
            return
        position = end


def has_too_many_scans(payload: bytes) -> bool:
    """Return whether a JPEG is one of scans without end: each costs a pass over all its pixels and takes few bytes.

    Scans of pictures behind the first, and what looks like scans in a film behind it, are not counted.

    Source: libjpeg-turbo, "Two issues with the JPEG standard": a small progressive JPEG can take minutes; its own
    fuzzers stop at 500 scans. Encoders write about ten.
    """
    if not _may_have_scans(payload) or payload.count(b"\xff\xda") <= _MAX_SCANS:
        return False
    scan_count, position = 0, 2
    for marker, _, end in jpeg_segments(payload):
        scan_count, position = scan_count + (marker == _SOS), end
    while scan_count <= _MAX_SCANS and (found := _NEXT_MARKER.search(payload, position)) is not None:
        marker, position = payload[found.end() - 1], found.end()
        if marker == _EOI:
            return False
        scan_count += marker == _SOS
        position += int.from_bytes(payload[position : position + 2], "big")
    return scan_count > _MAX_SCANS


def _may_have_scans(payload: bytes) -> bool:
    """Return whether more than one scan of a JPEG is decoded at all: if it is progressive, or its first lacks a component.

    Of any other, libjpeg refuses a second scan before it decodes it; looking for none takes a tenth of the time of a decode.

    Source: libjpeg-turbo 3.1, jdinput.c, ``initial_setup`` and ``consume_markers``.
    """
    components = 0
    for marker, start, _ in jpeg_segments(payload):
        if marker in _PROGRESSIVE:
            return True
        if marker in _FRAME_MARKERS and start + 9 < len(payload):
            components = payload[start + 9]
        elif marker == _SOS and start + 4 < len(payload):
            return payload[start + 4] < components
    return True


def jpeg_frame(payload: bytes) -> JpegFrame | None:
    """Return the frame of a JPEG, or None if no frame is found before its first scan or the end of the data."""
    has_more, has_odd, has_odd_profile, orientation = False, False, False, None
    for marker, start, end in jpeg_segments(payload):
        body = start + 4
        if marker in _FRAME_MARKERS:
            if body + 6 > len(payload):
                return None
            bits, height, width, components = struct.unpack_from(">BHHB", payload, body)
            return JpegFrame(
                marker=marker, bits=bits, width_px=width, height_px=height, components=components,
                has_more_images=has_more, orientation=orientation, has_odd_metadata=has_odd, has_odd_profile=has_odd_profile,
            )  # fmt: skip
        if marker == _SOS:
            return None
        if marker == _APP1 and payload.startswith(b"Exif\0\0", body):
            try:
                orientation = exif_orientation(payload[body + 6 : end])
            except (ValueError, struct.error):
                has_odd = True
        elif marker == _APP2 and payload.startswith(b"MPF\0", body):
            has_more = True
        elif marker == _APP2 and payload.startswith(b"ICC_PROFILE\0\x01", body):
            has_odd_profile = not is_profile(payload[body + 14 : end])
    return None


def is_profile(block: bytes) -> bool:
    """Return whether bytes begin as a colour profile does.

    Source: ICC.1:2022, section 7.2, table 17: the signature ``acsp`` stands at byte 36.
    """
    return block[36:40] == b"acsp"


def exif_orientation(tiff: bytes) -> int | None:
    r"""Return the orientation in an EXIF block as written, or None if it has none.

    Source: TIFF 6.0, section 2 (header, directory entries); Exif 2.32, tag 0x0112.

    Raises
    ------
    ValueError, struct.error
        If the block is not what it says.

    Examples
    --------
    >>> exif_orientation(b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0")
    6
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        raise ValueError("it is neither little- nor big-endian")
    (offset,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, offset)
    for index in range(count):
        place = offset + 2 + 12 * index
        tag, kind, _ = struct.unpack_from(f"{order}HHI", tiff, place)
        if tag == 0x0112:
            size = {1: "B", 3: "H", 4: "I"}.get(kind)
            return 0 if size is None else int(struct.unpack_from(f"{order}{size}", tiff, place + 8)[0])
    return None


def png_fault(payload: bytes) -> tuple[str, str] | None:
    """Return (reason, detail) if a PNG's chunks are cut short or one that holds pixels fails its checksum.

    Pillow never looks at the checksums of image data. Chunks without pixels are let be: they never cost an image.

    Source: PNG, third edition (W3C 2025), sections 5.3 and 5.4: a lower-case first letter marks a chunk as ancillary.
    """
    kind, view = b"", memoryview(payload)
    for kind, start, end in png_chunks(payload):
        if end > len(payload):
            return "truncated", f"its {kind.decode('latin-1')} chunk ends {end - len(payload):,} bytes past the file"
        holds_pixels = not kind[0] & 0x20 or kind == b"fdAT"
        if holds_pixels and zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return "damaged", f"the checksum of its {kind.decode('latin-1')} chunk does not hold"
    return None if kind == b"IEND" else ("truncated", "it has no end chunk")


def stored_size(payload: bytes, kind: str) -> tuple[int, int] | None:
    """Return (width, height) in pixels from the header of a PNG, GIF, BMP or WebP; None where Pillow's own probe is as cheap.

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
        elif kind == "webp":
            return _webp_size(payload)
        else:
            return None
    except struct.error:
        return None
    return width, height


def _webp_size(payload: bytes) -> tuple[int, int] | None:
    """Return the canvas of a WebP, which Pillow allocates twice as soon as it opens the file.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    chunk = payload[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(payload[24:27], "little"), 1 + int.from_bytes(payload[27:30], "little")
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", payload, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", payload, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
