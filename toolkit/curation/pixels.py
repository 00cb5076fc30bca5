"""The hash of an image's full pixels: equal for equal pixels, whatever metadata or lossless container they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xxhash
from PIL import ExifTags, ImageOps, ImageSequence

from toolkit.curation.depth import WIDE_MODES, depth_kind, low_bytes, wide_values
from toolkit.dataset.decoding import open_image
from toolkit.dataset.png import despite_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

__all__ = ["bands", "pixel_hash", "pixel_hash_of"]

_BAND_PIXELS: Final = 4_000_000
"""Pixels converted at once: the largest image that is allowed would take gigabytes as a whole."""

_EQUAL_MODES: Final = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA"}
"""Modes that only pack the same colours otherwise; a palette with transparency becomes RGBA."""


def pixel_hash(payload: bytes) -> str | None:
    """Return a hash over mode, display size and the full-resolution, full-colour pixels of every frame of encoded bytes.

    None if they cannot be decoded, or hold more bits than the decoder gives: what was cut off cannot be compared.
    """
    try:
        return despite_text(_pixel_hash, payload)
    except Exception:  # noqa: BLE001 -- over Pillow's plugins nearly every kind; bytes alone identify such an image
        return None


def _pixel_hash(payload: bytes) -> str | None:
    with open_image(payload) as opened:
        return pixel_hash_of(opened, payload, depth_kind(opened, payload))


def pixel_hash_of(opened: Image.Image, payload: bytes, kind: str) -> str | None:
    """Return the pixel hash of an opened image, over all its frames (two animations may begin alike); None if it is cut.

    Parameters
    ----------
    opened : PIL.Image.Image
        The image; it may be loaded.
    payload : bytes
        Its encoded bytes.
    kind : str
        What ``depth_kind`` said of it before it was loaded.
    """
    if kind == "cut":
        return None
    state = xxhash.xxh3_128()
    frames = ImageSequence.Iterator(opened) if getattr(opened, "n_frames", 1) > 1 else iter([opened])
    for frame in frames:
        image = _upright(frame)
        mode = f"{image.mode};16" if kind == "wide" else _common_mode(image)
        state.update(f"{mode}:{image.width}x{image.height}".encode())
        if kind == "wide":
            lower = _upright(low_bytes(payload))
            for high, low in zip(bands(image), bands(lower), strict=True):
                state.update(wide_values(high, low).tobytes())
            continue
        for band in bands(image):
            state.update(_values(band, mode))
    return str(state.hexdigest())


def _upright(image: Image.Image) -> Image.Image:
    """Return an image as displayed; itself where it is stored so, of which Pillow's own function would make a copy."""
    image.load()
    return image if image.getexif().get(ExifTags.Base.Orientation, 1) in {None, 1} else ImageOps.exif_transpose(image)


def _common_mode(image: Image.Image) -> str:
    has_key = "transparency" in image.info
    if image.mode in WIDE_MODES:
        return WIDE_MODES[image.mode]
    if has_key and image.mode in {"P", "RGB", "L", "1"}:
        return "RGBA" if image.mode in {"P", "RGB"} else "LA"
    return _EQUAL_MODES.get(image.mode, image.mode)


def _values(band: Image.Image, mode: str) -> bytes:
    if mode.startswith("<"):
        return np.asarray(band).astype(mode).tobytes()
    return (band if band.mode == mode else band.convert(mode)).tobytes()


def bands(image: Image.Image, multiple: int = 1) -> Iterator[Image.Image]:
    """Yield an image from top to bottom in bands of a bounded size, their height a multiple of something."""
    rows = max(1, _BAND_PIXELS // max(1, image.width * multiple)) * multiple
    if rows >= image.height:
        yield image
        return
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))
