"""Encoded bytes in, RGB pixels out: what a training loop is fed.

JPEG goes through libjpeg-turbo (``simplejpeg``), which can decode at 1/2, 1/4 or 1/8 size in the transform itself;
everything else through Pillow. EXIF orientation is applied, 16-bit gray is scaled (not clipped to white), transparency is
laid on white.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from toolkit.dataset.png import despite_text
from toolkit.dataset.readers import reader_for
from toolkit.dataset.resizing import to_square
from toolkit.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["FORMATS", "decode_rgb", "open_image", "orientation_of", "to_rgb"]

FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000")
"""The only openers of Pillow that are ever used: it registers 43, one of which calls Ghostscript. (JPEG's opens MPO too.)"""

_BAND_PIXELS: Final = 4_000_000
_TONE_SAMPLES: Final = 1_000_000
"""Pixels, at least, from which the range of a float image is taken."""

_ORIENTATION_TAG: Final = 0x0112
_SCALED_FROM: Final = 2
"""Reduction from which libjpeg-turbo scales in the transform: below, its scaled transforms are slower than whole ones."""

_METADATA_BYTES: Final = 2**17
"""How far into a JPEG its EXIF segment is looked for: two segments of the largest size, ICC profiles may come first."""


def open_image(payload: bytes) -> Image.Image:
    """Return a lazily opened image of one of ``FORMATS``, or of one that an installed reader claims.

    Raises
    ------
    OSError, ValueError, SyntaxError
        Whatever Pillow raises for bytes that it cannot read; of a reader, anything.
    ExtraError
        If the reader's decoder is an optional part that is not installed.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(payload), formats=FORMATS)
    except UnidentifiedImageError:
        reader = reader_for(payload)
        if reader is None:
            raise
        return reader.open_image(payload)
    if image.mode == "I" and "I;32N" in str(getattr(image, "tile", "")):
        image.info[_UNSIGNED] = True
    return image


_UNSIGNED: Final = "tonnage_unsigned"
"""Set on images of unsigned 32-bit values, which Pillow holds as signed ones."""


def decode_rgb(payload: bytes, resize_px: int | None = None) -> NDArray[np.uint8]:
    """Return the pixels of an encoded image, oriented, as RGB.

    Parameters
    ----------
    payload : bytes
        Encoded image.
    resize_px : int, optional
        Side of the square to resize to: scaled so that the shorter side fits, then cropped at the centre.

    Returns
    -------
    numpy.ndarray
        Shape (height, width, 3), uint8.

    Raises
    ------
    OSError, ValueError
        If the bytes cannot be decoded.
    ExtraError
        If their decoder is an optional part that is not installed.
    """
    if payload[:2] == b"\xff\xd8":
        found = _decode_jpeg(payload, resize_px)
        if found is not None:
            return found
    try:
        image = despite_text(_opened_rgb, payload)
    except (OSError, ValueError, TonnageError):
        raise
    except Exception as fault:  # readers and Pillow's plugins raise nearly every kind
        raise ValueError(str(fault) or type(fault).__name__) from fault
    whole: NDArray[np.uint8] = np.asarray(image, dtype=np.uint8)
    return whole if resize_px is None else to_square(whole, resize_px)


def _opened_rgb(payload: bytes) -> Image.Image:
    with open_image(payload) as opened:
        return to_rgb(_upright(opened))


def _upright(opened: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF says; as it is, if the EXIF is broken."""
    opened.load()
    try:
        return ImageOps.exif_transpose(opened)
    except Exception:  # noqa: BLE001 -- broken metadata never costs an image, whatever Pillow's parsers raise
        return opened


def _decode_jpeg(payload: bytes, resize_px: int | None) -> NDArray[np.uint8] | None:
    """Return the pixels by way of libjpeg-turbo, or None for the few JPEGs that it does not turn into RGB (CMYK)."""
    import simplejpeg

    least = resize_px or 0
    try:
        pixels: Any = simplejpeg.decode_jpeg(
            payload,
            colorspace="RGB",
            min_height=least,
            min_width=least,
            min_factor=_SCALED_FROM,
            fastdct=False,
            strict=False,
        )
    except ValueError:
        return None
    turn = _TURNS.get(orientation_of(payload))
    upright: NDArray[np.uint8] = pixels if turn is None else np.ascontiguousarray(turn(pixels))
    return upright if resize_px is None else to_square(upright, resize_px)


_TURNS: Final[dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
}
"""Source: Exif 2.32, tag 0x0112; the same table as ``ImageOps.exif_transpose``."""


def orientation_of(payload: bytes) -> int:
    """Return the EXIF orientation of an encoded image, 1 to 8; 1 when there is none, or none that is valid."""
    if payload[:2] == b"\xff\xd8" and payload.find(b"Exif\x00\x00", 0, _METADATA_BYTES) < 0:
        return 1
    try:
        with open_image(payload) as opened:
            value = opened.getexif().get(_ORIENTATION_TAG, 1)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError):  # broken metadata never costs an image
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB: 16-bit and float gray scaled to 8 bits, transparency laid on white."""
    if image.mode in {"I;16", "I;16L", "I;16B", "I;16N"}:
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"I", "F"}:
        return _stretched(image).convert("RGB")
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        front = image.convert("RGBA")
        ground = Image.new("RGBA", front.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, front).convert("RGB")
    return image.convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    converted = ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None
    return converted


def _stretched(image: Image.Image) -> Image.Image:
    """Return 32-bit or float gray in 8 bits, a band of rows at a time; what is no number becomes black."""
    values: NDArray[Any] = np.asarray(image)
    values = values.view(np.uint32) if image.info.get(_UNSIGNED) else values
    low, high = _tones(values, is_whole=image.mode == "I")
    scale = 255.0 / (high - low) if high > low else 0.0
    shown = np.empty(values.shape, dtype=np.uint8)
    rows = max(1, _BAND_PIXELS // max(1, image.width))
    for top in range(0, image.height, rows):
        band = (values[top : top + rows].astype(np.float64) - low) * scale
        shown[top : top + rows] = np.nan_to_num(band, posinf=255.0, neginf=0.0).clip(0, 255)
    return Image.fromarray(shown)


def _tones(values: NDArray[Any], *, is_whole: bool) -> tuple[float, float]:
    """Return the values that become black and white.

    Whole numbers that fit 8 or 16 bits are taken as such, and floats from 0 to 1 as shares; for all else there is no rule, and
    the 0.1th and 99.9th percentile are taken: a few hot pixels do not turn an image black.
    """
    step = max(1, math.isqrt(values.size // _TONE_SAMPLES))
    sample = values[::step, ::step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 0.0
    least, most = float(sample.min()), float(sample.max())
    if is_whole and least >= 0 and most <= 65_535:
        return 0.0, 65_535.0 if values.max() > 255 else 255.0
    if not is_whole and least >= 0 and most <= 1:
        return 0.0, 1.0
    low, high = np.percentile(sample, [0.1, 99.9])
    return float(low), float(high)
