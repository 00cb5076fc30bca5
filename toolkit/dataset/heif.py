"""HEIF (HEIC), read through the optional pillow-heif: the reader that comes with Tonnage."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import ExtraError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["name", "open_image", "size_px", "sniff", "suffixes"]

name: Final = "heif"
suffixes: Final = (".heic", ".heif", ".hif", ".heics", ".heifs")

_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
"""Source: ISO/IEC 23008-12, annexes B and E. AVIF names ``mif1`` too, and its own brand: Pillow reads it."""

_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})


def sniff(head: bytes) -> bool:
    """Return whether bytes begin as HEIF.

    Examples
    --------
    >>> [sniff(bytes([0, 0, 0, 20]) + b"ftypmif1" + bytes(4) + brand) for brand in (b"heic", b"avif")]
    [True, False]
    """
    if head[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, end, 4))}
    return bool(brands & _BRANDS) and not brands & _AVIF_BRANDS


def size_px(payload: bytes) -> tuple[int, int]:
    """Return (width, height) as displayed, from the header."""
    width, height = open_image(payload).size
    return width, height


def open_image(payload: bytes) -> Image.Image:
    """Return a lazily opened image; libheif turns and crops it as the file says.

    Raises
    ------
    ExtraError
        If pillow-heif is not installed.
    """
    opener = _opener()
    try:
        image: Image.Image = opener(io.BytesIO(payload))
    except SyntaxError as fault:  # what Pillow's openers raise for bytes that they cannot read
        raise ValueError(" ".join(str(fault).split())) from fault
    return image


def _opener() -> Any:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as fault:
        raise ExtraError("HEIF (HEIC) is read once its decoder is installed: pip install 'tonnage[heif]'") from fault
    return HeifImageFile
