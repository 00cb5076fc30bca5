"""One strict decode of an image to a scaled luma, from which hashes and scores are taken; previews and re-encoding.

JPEG goes through libjpeg-turbo in strict mode at reduced size: that still runs the whole entropy decode, so damage is
found as by a full decode, at less cost. The decoder is chosen from the header, never because another one failed:
a fallback after a refusal would undo the strictness.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import simplejpeg
from PIL import Image, ImageCms, ImageOps

from toolkit.curation.hashing import pixel_hash_of
from toolkit.curation.headers import JpegFrame, without_text
from toolkit.curation.reasons import Refusal, refusal
from toolkit.dataset.decoding import open_image, to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LUMA_PX", "Decoded", "decode_jpeg_luma", "decode_other", "jpeg_verdict", "preview", "reencode"]

LUMA_PX: Final = 128
"""Shorter side of the luma that scores are taken from, at least, where the image has it."""

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # our own limit is held before decoding

_UNREADABLE: Final = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, AttributeError, OverflowError)
"""What Pillow raises for bytes that it cannot read, over all its plugins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What one strict decode gave."""

    luma: NDArray[np.uint8] | None = None
    """Shape (height, width), scaled, as stored (not yet oriented)."""
    refusal: Refusal | None = None
    """Why there is none."""
    flags: tuple[str, ...] = ()
    """What was noticed."""
    pixel_hash: str | None = None
    """Hash of the full pixels, where the decode was full anyway."""


_EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")


def jpeg_verdict(message: str, payload: bytes) -> tuple[str, str]:
    r"""Return ``("flag", name)`` for a harmless complaint of libjpeg, or ``("refuse", reason)`` for damage.

    Extra bytes are harmless before a header segment, and as padding before the end; anything else between the end of the
    coded data and the end marker is what is left over when damage threw the entropy decoder off: a third of all damage
    inside a scan shows in no other way.

    Examples
    --------
    >>> jpeg_verdict("Premature end of JPEG file", b"")
    ('refuse', 'truncated')
    >>> jpeg_verdict("Corrupt JPEG data: 2 extraneous bytes before marker 0xd9", b"...\\x00\\x00\\xff\\xd9")
    ('flag', 'extraneous_bytes')
    >>> jpeg_verdict("Corrupt JPEG data: bad Huffman code", b"")
    ('refuse', 'damaged')
    """
    found = _EXTRANEOUS.search(message)
    if found:
        count, marker = int(found.group(1)), int(found.group(2), 16)
        end = payload.rfind(b"\xff\xd9")
        is_padding = marker == 0xD9 and set(payload[max(0, end - count) : end]) <= {0x00, 0xFF}
        if is_padding or 0xE0 <= marker <= 0xEF or marker in {0xFE, 0xDB, 0xC0, 0xC1, 0xC2}:
            return "flag", "extraneous_bytes"
        return "refuse", "damaged"
    if "Premature end of JPEG file" in message or "empty" in message.lower():
        return "refuse", "truncated"
    return "refuse", "damaged"


def decode_jpeg_luma(payload: bytes, frame: JpegFrame) -> Decoded:
    """Return the scaled luma of a JPEG, strictly decoded."""
    if frame.bits != 8 or frame.marker not in {0xC0, 0xC1, 0xC2}:
        return decode_other(payload, flags=("check_lenient",))
    try:
        simplejpeg.decode_jpeg_header(payload, strict=False)
    except ValueError as fault:
        if "subsampling" in str(fault).lower() or "colorspace" in str(fault).lower():
            return decode_other(payload, flags=("check_lenient",))
        return Decoded(refusal=refusal(jpeg_verdict(str(fault), payload)[1], str(fault)))
    try:
        return Decoded(luma=_gray(payload, strict=True))
    except ValueError as fault:
        verdict, name = jpeg_verdict(str(fault), payload)
        if verdict == "refuse":
            return Decoded(refusal=refusal(name, str(fault)))
        return Decoded(luma=_gray(payload, strict=False), flags=(name,))


def _gray(payload: bytes, *, strict: bool) -> NDArray[np.uint8]:
    pixels: Any = simplejpeg.decode_jpeg(payload, colorspace="GRAY", min_height=LUMA_PX, min_width=LUMA_PX, strict=strict)
    return np.asarray(pixels[:, :, 0], dtype=np.uint8)


def decode_other(payload: bytes, flags: tuple[str, ...] = ()) -> Decoded:
    """Return the scaled luma of an image that Pillow reads, fully decoded, first frame."""
    try:
        return _decode_pillow(payload, flags)
    except Image.DecompressionBombError as fault:
        return Decoded(refusal=refusal("too_many_pixels", str(fault)))
    except ValueError as fault:
        if "MAX_TEXT" in str(fault) and payload[:4] == b"\x89PNG":
            return decode_other(without_text(payload), flags=(*flags, "metadata_bomb"))
        return Decoded(refusal=_pillow_refusal(payload, fault))
    except MemoryError:
        return Decoded(refusal=refusal("too_many_pixels", "there is not enough memory to decode it"))
    except _UNREADABLE as fault:
        return Decoded(refusal=_pillow_refusal(payload, fault))


def _decode_pillow(payload: bytes, flags: tuple[str, ...]) -> Decoded:
    with open_image(payload) as image:
        image.load()
        factor = max(1, min(image.size) // LUMA_PX)
        if image.mode in {"L", "RGB"} and "transparency" not in image.info:
            small = image.reduce(factor).convert("L")
        else:
            rgb = to_rgb(image)
            small = rgb.reduce(factor).convert("L")
        return Decoded(luma=np.asarray(small, dtype=np.uint8), flags=flags, pixel_hash=_quiet_pixel_hash(image))


def _quiet_pixel_hash(image: Image.Image) -> str | None:
    try:
        return pixel_hash_of(image)
    except _UNREADABLE:  # broken metadata never costs an image
        return None


def _pillow_refusal(payload: bytes, fault: Exception) -> Refusal:
    message = str(fault) or type(fault).__name__
    ends_early = re.search(r"truncat|not enough|premature|end of file|unexpected end|EOF", message, re.IGNORECASE)
    return refusal("truncated" if ends_early or _is_cut(payload) else "damaged", message)


def _is_cut(payload: bytes) -> bool:
    """Return whether a container's own length or end mark says that bytes are missing."""
    if payload[:4] == b"RIFF":
        return int.from_bytes(payload[4:8], "little") + 8 > len(payload)
    if payload[:4] == b"\x89PNG":
        return b"IEND" not in payload[-64:] and b"IEND" not in payload
    return False


def preview(payload: bytes, longest_px: int = 160) -> bytes:
    """Return a small WebP of an image for people to look at, oriented; empty if nothing can be shown.

    Damaged images are shown as far as they decode: that is what one wants to see of them.
    """
    try:
        with open_image(payload) as opened:
            image = _partial(opened, payload, longest_px)
        image.thumbnail((longest_px, longest_px))
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=60, method=4)
    except (*_UNREADABLE, MemoryError, Image.DecompressionBombError):
        return b""
    return buffer.getvalue()


def _partial(opened: Image.Image, payload: bytes, longest_px: int) -> Image.Image:
    if opened.format in {"JPEG", "MPO"}:
        try:
            pixels: Any = simplejpeg.decode_jpeg(
                payload, colorspace="RGB", min_height=longest_px, min_width=longest_px, strict=False
            )
            image: Image.Image = Image.fromarray(pixels)
            image.getexif()[0x0112] = opened.getexif().get(0x0112, 1)
            return ImageOps.exif_transpose(image)
        except ValueError:
            pass
    return to_rgb(ImageOps.exif_transpose(opened))


def reencode(
    payload: bytes, *, longest_px: int | None = None, shortest_px: int | None = None, quality: int = 90
) -> tuple[bytes, str]:
    """Return an image as a smaller JPEG and how it was made; orientation is baked in, colours are brought to sRGB.

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
    with open_image(payload) as opened:
        image = to_rgb(ImageOps.exif_transpose(_in_srgb(opened)))
    side = max(image.size) if longest_px else min(image.size)
    goal = longest_px or shortest_px or side
    if goal < side:
        scale = goal / side
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    kind = f":longest={longest_px}" if longest_px else f":shortest={shortest_px}" if shortest_px else ""
    return buffer.getvalue(), f"jpeg:q={quality}{kind}"


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "CMYK", "L"}:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *_UNREADABLE):  # an invalid profile means sRGB to every viewer
        return image
    return converted if converted is not None else image
