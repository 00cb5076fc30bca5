"""Images for people to look at, and smaller images in place of large ones."""

from __future__ import annotations

import functools
import io
import math
from typing import Any, Final

import simplejpeg
from PIL import Image, ImageCms, ImageOps

from toolkit.curation.jpeg import can_be_strict
from toolkit.curation.markers import has_too_many_scans, jpeg_frame, stored_size
from toolkit.curation.sniffing import SUFFIXES, sniff
from toolkit.dataset.decoding import open_image, to_rgb
from toolkit.dataset.png import despite_text
from toolkit.dataset.readers import reader_for

__all__ = ["preview", "reencode"]

_METADATA_BYTES: Final = 2**17

_PREVIEW_PIXELS: Final = 40_000_000
"""Images of more pixels are not shown, unless they decode at reduced size: a report must not take gigabytes."""


def preview(payload: bytes, longest_px: int = 160) -> bytes:
    """Return a small WebP of an image for people to look at, oriented; empty if nothing can be shown.

    Damaged images are shown as far as they decode: that is what one wants to see of them. Nothing is raised.
    """
    try:
        image = (
            _jpeg_preview(payload, longest_px)
            if payload[:2] == b"\xff\xd8"
            else despite_text(functools.partial(_raster_preview, longest_px=longest_px), payload)
        )
        image.thumbnail((longest_px, longest_px))
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=60, method=4)
    except Exception:  # noqa: BLE001 -- whatever a decoder raises over bytes that were refused already
        return b""
    return buffer.getvalue()


def _jpeg_preview(payload: bytes, longest_px: int) -> Image.Image:
    """Return a JPEG at reduced size, as far as it decodes."""
    if has_too_many_scans(payload):
        raise ValueError("it would take too long to be shown")
    frame = jpeg_frame(payload)
    has_profile = b"ICC_PROFILE\0" in payload[:_METADATA_BYTES]
    if frame is None or frame.components == 4 or has_profile or not can_be_strict(payload, frame):
        return _raster_preview(payload, longest_px)
    colours = "RGB" if frame.components == 3 else "GRAY"
    pixels: Any = simplejpeg.decode_jpeg(payload, colorspace=colours, min_height=longest_px, min_width=longest_px, strict=False)
    image: Image.Image = Image.fromarray(pixels if colours == "RGB" else pixels[:, :, 0])
    image.getexif()[0x0112] = frame.orientation or 1
    return ImageOps.exif_transpose(image)


def _raster_preview(payload: bytes, longest_px: int) -> Image.Image:
    """Return an image in sRGB as it is displayed; a JPEG at reduced size."""
    width, height = _size_px(payload)
    if width * height > _PREVIEW_PIXELS:
        raise ValueError("it is too large to be shown")
    with open_image(payload) as opened:
        _reduce_jpeg(opened, 2 * longest_px)
        if opened.width * opened.height > _PREVIEW_PIXELS:
            raise ValueError("it is too large to be shown")
        return to_rgb(_in_srgb(ImageOps.exif_transpose(opened)))


def _size_px(payload: bytes) -> tuple[int, int]:
    """Return the size as a header says that costs nothing to read; (0, 0) where Pillow's own opening is as cheap."""
    kind = sniff(payload)
    reader = None if kind in SUFFIXES else reader_for(payload)
    return reader.size_px(payload) if reader is not None else stored_size(payload, kind) or (0, 0)


def _reduce_jpeg(opened: Image.Image, longest_px: int) -> None:
    """Have a JPEG read no larger than needed; other plugins would give a stored thumbnail, which may show anything."""
    if opened.format in {"JPEG", "MPO"}:
        share = min(1.0, longest_px / max(opened.size))
        opened.draft(None, (math.ceil(opened.width * share), math.ceil(opened.height * share)))


def reencode(
    payload: bytes, *, longest_px: int | None = None, shortest_px: int | None = None, quality: int = 90
) -> tuple[bytes, str]:
    """Return an image as a smaller JPEG and how it was made.

    Orientation is baked in, colours are brought to sRGB, transparency is laid on white, metadata is left behind; of several
    frames the first is taken.

    Parameters
    ----------
    payload : bytes
        An image that was examined and kept.
    longest_px, shortest_px : int, optional
        Side to scale down to; images are never enlarged.
    quality : int
        JPEG quality.

    Returns
    -------
    tuple of bytes and str
        The new bytes, and a text such as ``"jpeg:q=90:longest=512"`` for the ``encoding`` column.
    """
    image = despite_text(functools.partial(_scaled, longest_px=longest_px, shortest_px=shortest_px), payload)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    kind = f":longest={longest_px}" if longest_px else f":shortest={shortest_px}" if shortest_px else ""
    return buffer.getvalue(), f"jpeg:q={quality}{kind}"


def _scaled(payload: bytes, *, longest_px: int | None, shortest_px: int | None) -> Image.Image:
    """Return an image as displayed, in sRGB, scaled down to one of its sides."""
    pick = max if longest_px else min
    with open_image(payload) as opened:
        side = pick(opened.size)
        goal = min(longest_px or shortest_px or side, side)
        _reduce_jpeg(opened, math.ceil(2 * goal / side * max(opened.size)))  # no larger than what can be filtered down well
        image = to_rgb(_in_srgb(ImageOps.exif_transpose(opened)))
    if goal < pick(image.size):
        scale = goal / pick(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return an image with its colours brought from its own profile to sRGB; without a valid one it is sRGB to every viewer."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "CMYK", "L"} or "transparency" in image.info:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image if converted is None else converted
