"""One full decode of everything but JPEG, by Pillow: a scaled luma, and the hash of the full pixels.

Every frame is decoded, not the first alone, up to a budget: the bytes are kept whole, so they are checked whole.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from typing import Final

import numpy as np
from PIL import Image

from toolkit.curation.depth import depth_kind
from toolkit.curation.faults import is_about_metadata, pillow_refusal
from toolkit.curation.jpeg import LUMA_PX, Decoded
from toolkit.curation.markers import png_fault, without_text
from toolkit.curation.pixels import bands, pixel_hash_of
from toolkit.curation.reasons import refusal
from toolkit.dataset.decoding import open_image, to_rgb

__all__ = ["decode_raster"]

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # our own limit is held before decoding
logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it says of an image is in the refusal
warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata is flagged, not printed by every worker

_SMALL_PIXELS: Final = 2**24
_LARGE: Final = threading.Lock()
"""Images of more pixels are decoded one at a time in a process, however many threads it has: each may take hundreds of MB."""

_FRAME_PIXELS: Final = 64_000_000
"""Pixels of further frames that are decoded; past it, a file is flagged ``frames_unchecked``."""


def decode_raster(payload: bytes, flags: tuple[str, ...] = ()) -> Decoded:
    """Return the scaled luma of an image that Pillow reads and its pixel hash; or why it is damaged."""
    if payload[:4] == b"\x89PNG" and (fault := png_fault(payload)) is not None:
        return Decoded(refusal=refusal(*fault), flags=flags)
    try:
        return _decoded(payload, flags)
    except Exception as error:  # noqa: BLE001 -- over Pillow's plugins nearly every kind of exception
        if "odd_metadata" not in flags and is_about_metadata(payload, error):
            return decode_raster(without_text(payload), (*flags, "odd_metadata"))
        return Decoded(refusal=pillow_refusal(payload, error), flags=flags)


def _decoded(payload: bytes, flags: tuple[str, ...]) -> Decoded:
    with open_image(payload) as image, _LARGE if image.width * image.height > _SMALL_PIXELS else contextlib.nullcontext():
        depth = depth_kind(image, payload)
        frame_count = int(getattr(image, "n_frames", 1))
        image.load()
        luma, scale = _scaled_luma(image)
        if image.mode in {"RGBA", "LA"} and _is_opaque(image):
            flags = (*flags, "opaque_alpha")
        is_affordable = frame_count * image.width * image.height <= max(_FRAME_PIXELS, image.width * image.height)
        if not is_affordable:
            flags = (*flags, "frames_unchecked")
        pixels = pixel_hash_of(image, payload, depth) if is_affordable else None
        pixels_of_luma = np.asarray(luma, dtype=np.uint8)
        return Decoded(luma=pixels_of_luma, scale_share=scale, is_oriented=image.format == "TIFF", flags=flags, pixel_hash=pixels)


def _is_opaque(image: Image.Image) -> bool:
    return image.getextrema()[-1][0] == 255  # type: ignore[index]  # a pair per channel, where there is more than one


def _scaled_luma(image: Image.Image) -> tuple[Image.Image, float]:
    """Return a luma reduced by a whole factor, its sides at least ``LUMA_PX`` where the image has them, and the scale."""
    factor = max(1, min(min(image.size) // LUMA_PX[0], max(image.size) // LUMA_PX[1]))
    return _reduced(image, factor), 1 / factor


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    if image.mode in {"L", "RGB", "CMYK"} and "transparency" not in image.info:
        return _gray(image.reduce(factor))
    if image.mode in {
        "I",
        "F",
    }:  # stretched to their own range, which a band does not know; then averaged, or one NaN fills a block
        return _gray(to_rgb(image).reduce(factor))
    parts = [_gray(to_rgb(band).reduce(factor)) for band in bands(image, factor)]
    whole = Image.new("L", (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def _gray(image: Image.Image) -> Image.Image:
    return image if image.mode == "L" else image.convert("RGB").convert("L") if image.mode == "CMYK" else image.convert("L")
