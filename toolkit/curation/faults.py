"""What Pillow's exceptions mean: bytes that end early, bytes that are damaged, a kind that is not read."""

from __future__ import annotations

import io
import re
import struct
from typing import Final

from PIL import Image, UnidentifiedImageError

from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sniffing import sniff
from toolkit.dataset.decoding import FORMATS

__all__ = ["is_about_metadata", "is_cut", "pillow_refusal"]

_UNSUPPORTED: Final = re.compile(
    r"not supported|unsupported|unknown (compression|raw mode|pixel mode|data organization)|unrecognized (image )?mode"
    r"|conversion from \w+ to \w+",
    re.IGNORECASE,
)
_ENDS_EARLY: Final = re.compile(
    r"truncat|not enough|premature|end of file|unexpected end|EOF|unpack(_from)? requires|negative seek|no more images",
    re.IGNORECASE,
)


def pillow_refusal(payload: bytes, error: Exception) -> Refusal:
    """Return the refusal for what Pillow raised over some bytes.

    Examples
    --------
    >>> pillow_refusal(b"", OSError("image file is truncated (3 bytes not processed)")).reason
    'truncated'
    >>> pillow_refusal(b"", NotImplementedError("unknown compression 9")).reason
    'unsupported_format'
    """
    cause = _cause(payload, error)
    message = " ".join(str(cause).split()) or type(cause).__name__
    if isinstance(cause, ImportError):
        return refusal("codec_missing", message)
    if isinstance(cause, Image.DecompressionBombError | MemoryError):
        return refusal("too_many_pixels", message)
    if isinstance(cause, EOFError) or is_cut(payload):
        return refusal("truncated", message)
    if _UNSUPPORTED.search(message):
        return refusal("unsupported_format", message)
    return refusal("truncated" if _ENDS_EARLY.search(message) else "damaged", message)


def _cause(payload: bytes, error: Exception) -> Exception:
    """Return what the one opener of a format says, where Pillow's search over all of them names no reason."""
    if not isinstance(error, UnidentifiedImageError):
        return error
    name = sniff(payload).upper()
    opener = Image.OPEN.get(name)
    try:
        if opener is not None and name in FORMATS:
            opener[0](io.BytesIO(payload), "").close()
    except Exception as cause:  # noqa: BLE001 -- over Pillow's plugins nearly every kind of exception
        return cause
    return ValueError("its header cannot be read")


def is_about_metadata(payload: bytes, error: Exception) -> bool:
    """Return whether Pillow refuses a PNG for its text, or for the checksum of a chunk without pixels."""
    if payload[:4] != b"\x89PNG":
        return False
    words = str(_cause(payload, error))
    return "MAX_TEXT" in words or "Decompressed data too large" in words or "bad header checksum" in words


def is_cut(payload: bytes) -> bool:
    """Return whether a file's own lengths say that bytes are missing at its end.

    Examples
    --------
    >>> is_cut(b"RIFF" + (100).to_bytes(4, "little") + b"WEBP"), is_cut(b"GIF89a")
    (True, True)
    """
    if payload[:4] == b"RIFF":
        return int.from_bytes(payload[4:8], "little") + 8 > len(payload)
    if payload[:2] == b"BM":
        return int.from_bytes(payload[2:6], "little") > len(payload)
    if payload[:3] == b"GIF":
        return b"\x3b" not in payload[-64:]
    if payload[:4] in {b"II*\0", b"MM\0*"}:
        return _tiff_is_cut(payload, "<" if payload[:2] == b"II" else ">")
    if payload[4:8] in {b"ftyp", b"jP  "}:
        return _boxes_end_late(payload)
    return payload[:4] == b"\xff\x4f\xff\x51" and b"\xff\xd9" not in payload[-64:]


def _tiff_is_cut(payload: bytes, order: str) -> bool:
    """Return whether a directory of a TIFF, a value that it points to, or its data lies past the end.

    Source: TIFF 6.0, section 2; tags 273, 279 (strips), 324 and 325 (tiles).
    """
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(order + "I", payload, 4)
        while place and place not in seen and len(seen) < _MAX_DIRECTORIES:
            seen.add(place)
            (count,) = struct.unpack_from(order + "H", payload, place)
            if _directory_is_cut(payload, order, place, count):
                return True
            (place,) = struct.unpack_from(order + "I", payload, place + 2 + 12 * count)
    except struct.error:
        return True
    return False


def _directory_is_cut(payload: bytes, order: str, place: int, count: int) -> bool:
    found = {}
    for entry in range(count):
        tag, kind, number, value = struct.unpack_from(order + "HHII", payload, place + 2 + 12 * entry)
        size_bytes = number * _TIFF_SIZES.get(kind, 1)
        if size_bytes > 4 and value + size_bytes > len(payload):
            return True
        found[tag] = place + 10 + 12 * entry if size_bytes <= 4 else value, kind, number
    for starts, sizes in ((273, 279), (324, 325)):
        if starts in found and sizes in found:
            pairs = zip(
                _whole_numbers(payload, order, *found[starts]), _whole_numbers(payload, order, *found[sizes]), strict=False
            )
            if any(start + size > len(payload) for start, size in pairs):
                return True
    return False


_MAX_DIRECTORIES: Final = 10_000

_TIFF_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


def _whole_numbers(payload: bytes, order: str, place: int, kind: int, number: int) -> tuple[int, ...]:
    return struct.unpack_from(f"{order}{number}{'H' if kind == 3 else 'I'}", payload, place)


def _boxes_end_late(payload: bytes) -> bool:
    """Return whether the boxes of an ISO media or JPEG 2000 file run past its end.

    Source: ISO/IEC 14496-12, section 4.2; ISO/IEC 15444-1, annex I.4: length 0 means to the end, 1 a length of 64 bits.
    """
    position = 0
    while position + 8 <= len(payload):
        length = int.from_bytes(payload[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(payload[position + 8 : position + 16], "big")
        if length < 8:
            return payload[position + 4 : position + 8] == b"jp2c" and b"\xff\xd9" not in payload[-64:]
        position += length
    return position > len(payload)
