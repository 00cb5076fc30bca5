"""How many bits an image's file holds, and whether the decoder gives them all: what was cut off cannot be compared."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.dataset.decoding import open_image
from toolkit.dataset.png import png_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["WIDE_MODES", "bits_of", "depth_kind", "is_misread", "low_bytes", "wide_values"]

WIDE_MODES: Final = {"I;16": "<u2", "I;16L": "<u2", "I;16B": "<u2", "I;16N": "<u2", "I": "<i4", "F": "<f4"}
"""Modes of more than 8 bits, by how their values are hashed: the same on every machine."""

_BITS_TAG: Final = 258
_WIDE_COLOUR: Final = re.compile(r"(RGB|RGBA|CMYK);16([LBN])")
_OTHER_END: Final = {"L": "B", "B": "L", "N": "B" if np.little_endian else "L"}


def bits_of(image: Image.Image, payload: bytes) -> int:
    """Return the bits per channel in the file, which Pillow's mode hides (it reads 16-bit colour as 8-bit).

    Source: PNG, third edition, section 11.2.1; TIFF 6.0, tag 258; AV1-ISOBMFF 1.2, section 2.3.3; ISO/IEC 15444-1, A.5.1.
    """
    tags = getattr(image, "tag_v2", None)
    try:
        if image.format == "PNG":
            start = next(start for kind, start, _ in png_chunks(payload) if kind == b"IHDR")
            return payload[start + 16]
        if tags is not None:
            value = tags.get(_BITS_TAG, 1)
            return int(value[0] if isinstance(value, tuple) else value)
        if image.format == "AVIF" and (place := payload.find(b"av1C")) >= 0:
            is_high, is_twelve = payload[place + 6] & 0x40, payload[place + 6] & 0x20
            return (12 if is_twelve else 10) if is_high else 8
        if image.format == "JPEG2000" and (place := payload.find(b"\xff\x4f\xff\x51")) >= 0:
            (depth,) = struct.unpack_from("B", payload, place + 42)
            return int(depth & 0x7F) + 1
        if "bit_depth" in image.info:  # pillow-heif
            return int(image.info["bit_depth"])
    except (IndexError, struct.error, ValueError, TypeError, StopIteration):
        pass
    return {"1": 1, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(image.mode, 8)


def depth_kind(opened: Image.Image, payload: bytes) -> str:
    """Return how an image that is opened and not yet loaded can be had whole.

    ``plain``: as it is decoded; ``wide``: 16-bit colour, of which Pillow gives one byte of each two, and the other when asked
    again; ``cut``: not at all, since bits or channels are left out.
    """
    raw = _raw_modes(opened)
    if opened.format == "TIFF" and any("X" in mode for mode in raw):
        return "cut"
    if bits_of(opened, payload) <= 8 or opened.mode in WIDE_MODES:
        return "plain"
    is_one = len(set(raw)) == 1 and getattr(opened, "n_frames", 1) == 1 and "transparency" not in opened.info
    return "wide" if is_one and opened.format in {"PNG", "TIFF"} and _WIDE_COLOUR.fullmatch(raw[0]) else "cut"


def is_misread(opened: Image.Image) -> bool:
    """Return whether Pillow would give wrong pixels without a word: of 16-bit channels in planes of their own it reads bytes."""
    is_planar = any(len(mode) == 1 and mode in "RGBACMYK" for mode in _raw_modes(opened))
    return opened.format == "TIFF" and is_planar and bits_of(opened, b"") > 8


def _raw_modes(opened: Image.Image) -> list[str]:
    """Return how each tile's samples lie in the file, in Pillow's words."""
    arguments = [tile[3] for tile in getattr(opened, "tile", [])]
    return [str(given[0] if isinstance(given, tuple) else given) for given in arguments if given]


def low_bytes(payload: bytes) -> Image.Image:
    """Return the lower bytes of 16-bit colour as an image: the same file read as if its bytes lay the other way round."""
    image: Any = open_image(payload)
    image.tile = [_other_end(tile) for tile in image.tile]
    image.load()
    return image  # type: ignore[no-any-return]  # a method of an untyped plugin


def _other_end(tile: Any) -> Any:
    is_tuple = isinstance(tile[3], tuple)
    raw = str(tile[3][0] if is_tuple else tile[3])
    swapped = raw[:-1] + _OTHER_END[raw[-1]]
    return tile._replace(args=(swapped, *tile[3][1:]) if is_tuple else swapped)


def wide_values(high: Image.Image, low: Image.Image) -> NDArray[np.uint16]:
    """Return 16-bit values of the upper and the lower bytes of them."""
    values = np.asarray(high).astype("<u2")
    values <<= 8
    values |= np.asarray(low)
    return values
