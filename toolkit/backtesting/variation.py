"""An encoded image changed a little: another image at the same cost, for datasets that are too small to be drawn from."""

from __future__ import annotations

import io
import struct
from typing import Any, Final

__all__ = ["varied"]

_QUANTISATION: Final = 0xDB
_START_OF_SCAN: Final = 0xDA
_STEPS: Final = (8, 4, 4, 4, 4)
"""Values that each of the first entries of a quantisation table may take: 2,048 images of one, all of the same size in bytes."""

_FASTEST: Final[dict[str, dict[str, Any]]] = {
    "PNG": {"compress_level": 1}, "WEBP": {"lossless": True, "method": 0, "quality": 0},
}  # fmt: skip
"""How an image is encoded anew without loss and without delay: a back-test is to measure curation, not to wait for its images."""


def varied(payload: bytes, copy_index: int) -> bytes | None:
    """Return an image that differs in its pixels, or None where it cannot be changed and written in its own format.

    A JPEG has its first quantisation table changed: every pixel differs a little, the coded data and its size do not.
    Of others, one pixel is changed and the image encoded anew without loss.

    Source: ITU-T T.81 (1992), section B.2.4.1, for the layout of the table.

    Examples
    --------
    >>> from PIL import Image
    >>> sink = io.BytesIO(); Image.new("RGB", (16, 16), "orange").save(sink, "JPEG")
    >>> other = varied(sink.getvalue(), 1)
    >>> len(other) == len(sink.getvalue()), other == sink.getvalue()
    (True, False)
    """
    if payload[:2] == b"\xff\xd8":
        return _varied_jpeg(payload, copy_index)
    return _varied_pixel(payload, copy_index)


def _varied_jpeg(payload: bytes, copy_index: int) -> bytes | None:
    place = 2
    while place + 4 <= len(payload) and payload[place] == 0xFF and payload[place + 1] != _START_OF_SCAN:
        length = struct.unpack(">H", payload[place + 2 : place + 4])[0]
        if payload[place + 1] == _QUANTISATION:
            return _with_other_table(payload, place + 4, copy_index)
        place += 2 + length
    return None


def _with_other_table(payload: bytes, place: int, copy_index: int) -> bytes | None:
    width = 2 if payload[place] >> 4 else 1  # entries of 16 bits, or of 8
    changed, most, left = bytearray(payload), 256**width - 1, copy_index
    for entry, steps in enumerate(_STEPS):
        left, step = divmod(left, steps)
        at = place + 1 + entry * width
        value = int.from_bytes(payload[at : at + width], "big")
        changed[at : at + width] = (value + step if value + steps <= most else value - step).to_bytes(width, "big")
    return None if left else bytes(changed)


def _varied_pixel(payload: bytes, copy_index: int) -> bytes | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(payload)) as image:
            if getattr(image, "n_frames", 1) > 1 or image.format not in {"PNG", "TIFF", "BMP", "WEBP"}:
                return None
            image.load()
            place = (copy_index % image.width, copy_index // image.width % image.height)
            pixel = image.getpixel(place)
            image.putpixel(place, (pixel[0] ^ 1, *pixel[1:]) if isinstance(pixel, tuple) else int(pixel or 0) ^ 1)
            sink = io.BytesIO()
            image.save(sink, image.format, **_FASTEST.get(image.format, {}))
    except (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError):
        return None
    return sink.getvalue()
