"""Bytes in; facts, hashes and scores out, or a refusal with its reason. Never raises on bad bytes."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from toolkit.curation.decode import Decoded, decode_jpeg_luma, decode_other
from toolkit.curation.hashing import byte_identity, luma_hash, perceptual_hash
from toolkit.curation.headers import JpegFrame, jpeg_frame, stored_size
from toolkit.curation.quality import scored_luma, scores
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sniffing import SUFFIXES, sniff
from toolkit.dataset.decoding import open_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Examination", "Limits", "examine"]

_ORIENTATION_TAG: Final = 0x0112
_JPEG_MODES: Final = {1: "L", 3: "RGB", 4: "CMYK"}
_ALPHA_MODES: Final = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_HINTS: Final = {
    "heif": ("codec_missing", "HEIF (HEIC); install pillow-heif to read it"),
    "jpegxl": ("codec_missing", "JPEG XL"),
    "dicom": ("unsupported_format", "DICOM; convert it first, for example with pydicom"),
    "svg": ("vector_image", ""),
    "postscript": ("vector_image", "PostScript"),
    "pdf": ("unsupported_format", "PDF"),
    "html": ("not_an_image", "it is an HTML page"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is held against the header, before anything is decoded."""

    min_side_px: int = 16
    """Kept for the recipe's rule; nothing is refused for being small."""
    max_pixels: int = 178_956_970
    """Pixels above which an image is refused. Source of the default: Pillow's own limit."""
    max_frames: int = 10_000
    """Frames above which a file is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is known of one image."""

    facts: dict[str, Any]
    """By the names of ``FACT_FIELDS`` and ``SCORE_FIELDS``; ``image_id``, ``sha256`` and ``size_bytes`` always."""
    refusal: Refusal | None = None
    """Why it is not let in; None if it is sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What the header says."""

    width_px: int
    height_px: int
    mode: str
    bits: int
    frame_count: int
    orientation: int
    has_alpha: bool
    flags: tuple[str, ...]


def examine(payload: bytes, *, name: str, limits: Limits | None = None) -> Examination:
    """Return what is known of an image from its bytes, or why it is refused.

    Parameters
    ----------
    payload : bytes
        The encoded image.
    name : str
        Its name, as a hint: an ending that says another format is flagged.
    limits : Limits, optional
        Limits on pixels and frames.
    """
    image_id, sha256 = byte_identity(payload)
    facts: dict[str, Any] = {"image_id": image_id, "sha256": sha256, "size_bytes": len(payload)}
    if not payload:
        return Examination(facts=facts, refusal=refusal("empty"))
    kind = sniff(payload)
    if kind not in SUFFIXES:
        reason, detail = _HINTS.get(kind, ("not_an_image", "") if kind == "unknown" else ("unsupported_format", kind))
        return Examination(facts=facts, refusal=refusal(reason, detail))
    facts["format"] = kind
    bounds = limits or Limits()
    frame = jpeg_frame(payload) if kind == "jpeg" else None
    try:
        header = _header(payload, kind, frame, bounds)
    except Exception as fault:  # noqa: BLE001 -- any of Pillow's 43 plugins' own; the image is refused with its words
        return Examination(facts=facts, refusal=_header_refusal(payload, kind, fault))
    if isinstance(header, Refusal):
        return Examination(facts=facts, refusal=header)
    facts |= _header_facts(header)
    if header.frame_count > bounds.max_frames:
        return Examination(facts=facts, refusal=refusal("too_many_frames", f"{header.frame_count:,}"))
    decoded = decode_jpeg_luma(payload, frame) if frame is not None else decode_other(payload)
    flags = [*header.flags, *decoded.flags, *_byte_flags(payload, kind, name, header)]
    if decoded.refusal is not None or decoded.luma is None:
        return Examination(facts=facts | {"flags": flags}, refusal=decoded.refusal)
    return Examination(facts=facts | {"flags": flags} | _pixel_facts(decoded, decoded.luma, header))


def _header(payload: bytes, kind: str, frame: JpegFrame | None, limits: Limits) -> _Header | Refusal:
    if kind == "jpeg":
        if frame is None:
            return refusal("truncated" if len(payload) < 2_000 else "damaged", "no frame was found in it")
        size = (frame.width_px, frame.height_px)
    else:
        size = stored_size(payload, kind) or (0, 0)
    if size[0] * size[1] > limits.max_pixels:
        return refusal("too_many_pixels", f"{size[0]:,} x {size[1]:,}")
    if frame is not None and frame.components in _JPEG_MODES:
        orientation, flags = _orientation(payload)
        more = _frame_count(payload) if frame.has_more_images else 1
        return _Header(
            width_px=size[0], height_px=size[1], mode=_JPEG_MODES[frame.components], bits=frame.bits, frame_count=more,
            orientation=orientation, has_alpha=False, flags=flags,
        )  # fmt: skip
    return _pillow_header(payload, limits)


def _pillow_header(payload: bytes, limits: Limits) -> _Header | Refusal:
    try:
        with open_image(payload) as image:
            if image.width * image.height > limits.max_pixels:
                return refusal("too_many_pixels", f"{image.width:,} x {image.height:,}")
            orientation, flags = _valid_orientation(_exif_orientation(image))
            return _Header(
                width_px=image.width, height_px=image.height, mode=image.mode, bits=_bits(image, payload),
                frame_count=int(getattr(image, "n_frames", 1)), orientation=orientation,
                has_alpha=image.mode in _ALPHA_MODES or "transparency" in image.info, flags=flags,
            )  # fmt: skip
    except Image.DecompressionBombError as fault:
        return refusal("too_many_pixels", str(fault))


def _header_refusal(payload: bytes, kind: str, fault: Exception) -> Refusal:
    if isinstance(fault, ValueError) and "MAX_TEXT" in str(fault):
        return refusal("damaged", "its text chunks unpack to more than is allowed")
    decoded = decode_other(payload)
    return decoded.refusal or refusal("damaged", f"{kind}: {fault}")


def _bits(image: Image.Image, payload: bytes) -> int:
    """Return the bits per channel in the file, which Pillow's mode hides (it reads 16-bit RGB as 8-bit)."""
    if payload[:4] == b"\x89PNG":
        return payload[24]
    tags = getattr(image, "tag_v2", None)
    if tags is not None:
        value = tags.get(258, 1)  # BitsPerSample; source: TIFF 6.0
        return int(value[0] if isinstance(value, tuple) else value)
    return {"1": 1, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(image.mode, 8)


def _orientation(payload: bytes) -> tuple[int, tuple[str, ...]]:
    if payload.find(b"Exif\0\0", 0, 65_536) < 0:
        return 1, ()
    try:
        with open_image(payload) as image:
            return _valid_orientation(_exif_orientation(image))
    except Exception:  # noqa: BLE001 -- broken metadata never costs an image
        return 1, ("odd_metadata",)


def _exif_orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 -- broken metadata never costs an image
        return None


def _valid_orientation(value: Any) -> tuple[int, tuple[str, ...]]:
    if isinstance(value, int) and 1 <= value <= 8:
        return value, ()
    return 1, ("odd_orientation",)


def _frame_count(payload: bytes) -> int:
    try:
        with open_image(payload) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 -- a broken index of further pictures never costs the first
        return 1


def _header_facts(header: _Header) -> dict[str, Any]:
    turned = header.orientation >= 5
    return {
        "width_px": header.height_px if turned else header.width_px,
        "height_px": header.width_px if turned else header.height_px,
        "mode": header.mode,
        "bits": header.bits,
        "orientation": header.orientation,
        "frame_count": header.frame_count,
        "has_alpha": header.has_alpha,
    }


def _byte_flags(payload: bytes, kind: str, name: str, header: _Header) -> list[str]:
    flags = []
    suffix = posixpath.splitext(name)[1].lower()
    if suffix not in SUFFIXES[kind] and any(suffix in others for others in SUFFIXES.values()):
        flags.append("wrong_extension")
    if header.frame_count > 1:
        flags.append("multi_frame")
    elif _has_trailing_bytes(payload, kind):
        flags.append("trailing_bytes")
    return flags


def _has_trailing_bytes(payload: bytes, kind: str) -> bool:
    if kind == "jpeg":
        return not payload.endswith(b"\xff\xd9")
    if kind == "png":
        end = payload.rfind(b"IEND")
        return end >= 0 and end + 8 < len(payload)
    if kind == "webp":
        return int.from_bytes(payload[4:8], "little") + 8 + 1 < len(payload)
    return False


def _pixel_facts(decoded: Decoded, luma: NDArray[np.uint8], header: _Header) -> dict[str, Any]:
    oriented = _oriented(luma, header.orientation)
    small = scored_luma(oriented)
    turned = header.orientation >= 5
    width, height = (header.height_px, header.width_px) if turned else (header.width_px, header.height_px)
    return {
        "pixel_hash": decoded.pixel_hash,
        "luma_hash": luma_hash(oriented, width, height),
        "perceptual_hash": perceptual_hash(small),
    } | scores(small, width, height)


def _oriented(luma: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a stored luma as it is displayed.

    Source: Exif 2.32, tag 0x0112.
    """
    turned = luma.T if orientation >= 5 else luma
    if orientation in {2, 3, 6, 7}:
        turned = turned[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        turned = turned[::-1]
    return turned
