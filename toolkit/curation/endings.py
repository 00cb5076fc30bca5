"""Where an image ends by its own account: what stands behind it is flagged, and an end mark that is missing too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.dataset.png import png_chunks

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ending_flag"]

_BOXES: Final = frozenset(
    {b"ftyp", b"styp", b"meta", b"mdat", b"moov", b"moof", b"mfra", b"sidx", b"free", b"skip", b"wide", b"uuid", b"idat", b"jP  "}
    | {b"jp2h", b"jp2c", b"jp2i", b"jpch", b"jplh", b"xml ", b"uinf", b"rreq", b"asoc", b"ftbl", b"dtbl", b"prfl", b"res "}
)
"""Boxes at the top of a file. Source: ISO/IEC 14496-12, table 1; ISO/IEC 15444-1, annex I; 15444-2, annex M."""


def ending_flag(payload: bytes, kind: str) -> str | None:
    """Return ``trailing_bytes``, ``missing_end``, or None: how a file ends by its format's own structure.

    A TIFF may hold its parts in any order and anything between them: of it nothing is said. Behind a JPEG, another JPEG is
    not told from it, since only the last end mark is looked for.

    Examples
    --------
    >>> ending_flag(b"RIFF" + (4).to_bytes(4, "little") + b"WEBP" + b"rest", "webp")
    'trailing_bytes'
    >>> ending_flag(b"RIFF" + (4).to_bytes(4, "little") + b"WEBP", "webp") is None
    True
    """
    if kind == "jpeg":
        return "trailing_bytes" if 0 <= payload.rfind(b"\xff\xd9") < len(payload) - 2 else None
    find_end = _ENDS.get(kind)
    end = None if find_end is None else find_end(payload)
    if end is None or end == len(payload):
        return None
    return "trailing_bytes" if end < len(payload) else "missing_end"


def _png_end(payload: bytes) -> int | None:
    return next((end for chunk, _, end in png_chunks(payload) if chunk == b"IEND"), None)


def _webp_end(payload: bytes) -> int:
    """Source: RFC 9649, section 2.3: chunks are padded to even sizes; some writers leave the last padding out."""
    end = int.from_bytes(payload[4:8], "little") + 8
    return end + 1 if end % 2 and len(payload) == end + 1 else min(end, len(payload))


def _bmp_end(payload: bytes) -> int | None:
    """Source: BITMAPFILEHEADER, bfSize; many writers leave it 0 or wrong, so only a plausible one is believed."""
    end, pixels = int.from_bytes(payload[2:6], "little"), int.from_bytes(payload[10:14], "little")
    return end if pixels < end <= len(payload) else None


def _gif_end(payload: bytes) -> int:
    """Return the end of a GIF's trailer; past the data, if it has none.

    Source: GIF89a specification, sections 15 to 27 and appendix A.
    """
    size_bytes = len(payload)
    position = 13 + _colours(payload, 10)
    while position < size_bytes:
        block = payload[position]
        if block == 0x3B:
            return position + 1
        if block == 0x2C:
            position += 10 + _colours(payload, position + 9) + 1
        elif block == 0x21:
            position += 2
        else:
            return position  # no block begins so: the picture is over, its trailer was left out
        while position < size_bytes and payload[position]:
            position += payload[position] + 1
        position += 1
    return size_bytes + 1


def _colours(payload: bytes, place: int) -> int:
    packed = payload[place] if place < len(payload) else 0
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _boxes_end(payload: bytes) -> int:
    """Return the end of the last box that any format puts at the top of a file.

    Source: ISO/IEC 14496-12, section 4.2; ISO/IEC 15444-1, annex I.4: length 0 means to the end, 1 a length of 64 bits.
    """
    position = 0
    while position + 8 <= len(payload) and payload[position + 4 : position + 8] in _BOXES:
        length = int.from_bytes(payload[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(payload[position + 8 : position + 16], "big")
        if length < 8:
            return len(payload)
        position += length
    return min(position, len(payload)) if position else len(payload)


def _jpeg2000_end(payload: bytes) -> int:
    if payload[:4] == b"\xff\x4f\xff\x51":
        end = payload.rfind(b"\xff\xd9")
        return end + 2 if end >= 0 else len(payload) + 1
    return _boxes_end(payload)


_ENDS: Final[dict[str, Callable[[bytes], int | None]]] = {
    "png": _png_end,
    "webp": _webp_end,
    "gif": _gif_end,
    "bmp": _bmp_end,
    "avif": _boxes_end,
    "heif": _boxes_end,
    "jpeg2000": _jpeg2000_end,
}
