"""What an image's header says, before anything is decoded; the limits are held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from toolkit.curation.depth import bits_of, is_misread
from toolkit.curation.faults import is_about_metadata, pillow_refusal
from toolkit.curation.markers import JpegFrame, is_profile, jpeg_frame, png_fault, stored_size, without_text
from toolkit.curation.reasons import Refusal, refusal
from toolkit.dataset.decoding import open_image
from toolkit.dataset.png import png_chunks
from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.curation.limits import Limits
    from toolkit.dataset.readers import Reader

__all__ = ["Header", "JpegFrame", "jpeg_frame", "read_header"]

_ORIENTATION_TAG: Final = 0x0112
_JPEG_MODES: Final = {1: "L", 3: "RGB", 4: "CMYK"}
_UNREAD: Final = {0xC3: "lossless", 0xCB: "lossless"} | dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical")
"""Frames that are not read. Lossless ones are refused for safety: libjpeg-turbo 3 writes past its buffer when it is asked for
one at reduced size, as a loader may."""

_PNG_METADATA: Final = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})
"""Chunks that an orientation may stand in. Source: PNG, third edition, sections 11.3.3 and 11.3.4."""

_ALPHA_MODES: Final = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header says."""

    width_px: int
    """As stored, before the orientation is applied."""
    height_px: int
    """As stored, before the orientation is applied."""
    mode: str
    """Pillow's name of the pixel mode."""
    bits: int
    """Bits per channel in the file."""
    frame_count: int
    """Frames, pages or pictures."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 where there is none, or none that is valid."""
    has_alpha: bool
    """Whether there is an alpha channel or a transparent colour."""
    flags: tuple[str, ...]
    """What was noticed."""
    frame: JpegFrame | None = None
    """Of a JPEG."""


def read_header(payload: bytes, kind: str, limits: Limits, reader: Reader | None = None) -> Header | Refusal:
    """Return what the header of an image says, or why it is refused without being decoded.

    Parameters
    ----------
    payload : bytes
        The encoded image.
    kind : str
        Its format, as sniffed.
    limits : Limits
        What is held against it.
    reader : Reader, optional
        Who reads it, if it is of no format that is always read.
    """
    max_pixels, max_frames, max_decoded_bytes = limits.max_pixels, limits.max_frames, limits.max_decoded_bytes
    if kind == "jpeg":
        header = _jpeg_header(payload, max_pixels)
    else:
        header = _raster_header(payload, kind, max_pixels) if reader is None else _foreign_header(payload, reader, max_pixels)
    if isinstance(header, Header) and header.frame_count > max_frames:
        return refusal("too_many_frames", f"{header.frame_count:,}")
    if isinstance(header, Header) and header.width_px * header.height_px > _SMALL_PIXELS:
        return _too_much_memory(payload, header, max_decoded_bytes) or header
    return header


_SMALL_PIXELS: Final = 2**24
"""Images of so few pixels are not asked what they take: at most 256 MiB."""


def _too_much_memory(payload: bytes, header: Header, max_decoded_bytes: int) -> Refusal | None:
    """Return the refusal of an image whose decoding would take too much memory, whatever its pixels.

    Pillow holds 4 bytes for each pixel of more than one channel, and the canvas of an animation twice. libjpeg-turbo holds all
    coefficients, 2 bytes each, of a JPEG that comes in several scans; of any other a few rows.
    """
    pixels = header.width_px * header.height_px
    if header.frame is not None:
        has_scans = payload.count(b"\xff\xda") > 1
        taken_bytes = pixels * header.frame.components * 2 if has_scans else pixels
    else:
        per_pixel = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}.get(header.mode, 4)
        taken_bytes = pixels * per_pixel * (2 if header.frame_count > 1 else 1)
    if taken_bytes <= max_decoded_bytes:
        return None
    return refusal(
        "too_much_memory",
        f"{header.width_px:,} x {header.height_px:,} pixels of mode {header.mode}, {show(taken_bytes, 'bytes')}",
    )


def _too_large(width_px: int, height_px: int, max_pixels: int) -> Refusal | None:
    is_too_large = width_px * height_px > max_pixels
    return refusal("too_many_pixels", f"{width_px:,} x {height_px:,}") if is_too_large else None


def _jpeg_header(payload: bytes, max_pixels: int) -> Header | Refusal:
    frame = jpeg_frame(payload)
    if frame is None:
        is_cut = b"\xff\xd9" not in payload[-64:]
        return refusal("truncated" if is_cut else "damaged", "no frame was found in it")
    if (fault := _jpeg_refusal(frame) or _too_large(frame.width_px, frame.height_px, max_pixels)) is not None:
        return fault
    orientation, flags = _valid(frame.orientation)
    return Header(
        width_px=frame.width_px, height_px=frame.height_px, mode=_JPEG_MODES[frame.components], bits=frame.bits,
        frame_count=_picture_count(payload) if frame.has_more_images else 1, orientation=orientation, has_alpha=False,
        flags=_jpeg_flags(frame, flags), frame=frame,
    )  # fmt: skip


def _jpeg_flags(frame: JpegFrame, flags: tuple[str, ...]) -> tuple[str, ...]:
    odd = (("odd_metadata",) if frame.has_odd_metadata else ()) + (("odd_profile",) if frame.has_odd_profile else ())
    return (*flags, *odd)


def _jpeg_refusal(frame: JpegFrame) -> Refusal | None:
    """Return why a JPEG of this kind is not read, if it is not."""
    if frame.bits != 8:
        return refusal("unsupported_format", f"a JPEG of {frame.bits} bits per sample; 8 are read")
    if frame.components not in _JPEG_MODES:
        return refusal("unsupported_format", f"a JPEG of {frame.components} components; 1, 3 and 4 are read")
    if frame.marker in _UNREAD:
        return refusal("unsupported_format", f"a {_UNREAD[frame.marker]} JPEG")
    if 0 in {frame.width_px, frame.height_px}:
        return refusal("unsupported_format", "a JPEG that says its height behind its data")
    return None


def _picture_count(payload: bytes) -> int:
    try:
        with open_image(payload) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 -- a broken index of further pictures never costs the first
        return 1


def _raster_header(payload: bytes, kind: str, max_pixels: int) -> Header | Refusal:
    size = stored_size(payload, kind)
    if size is not None and (fault := _too_large(*size, max_pixels)) is not None:
        return fault
    if kind == "png" and (broken := png_fault(payload)) is not None:
        return refusal(*broken)
    try:
        return _opened_header(payload, max_pixels)
    except Exception as error:  # noqa: BLE001 -- over Pillow's plugins nearly every kind of exception
        if not is_about_metadata(payload, error):
            return pillow_refusal(payload, error)
    try:
        return _opened_header(without_text(payload), max_pixels)
    except Exception as error:  # noqa: BLE001 -- as above
        return pillow_refusal(payload, error)


def _foreign_header(payload: bytes, reader: Reader, max_pixels: int) -> Header | Refusal:
    """Return the header of what an installed reader reads, which may have decoded it by the time that it is open."""
    try:
        return _too_large(*reader.size_px(payload), max_pixels) or _opened_header(payload, max_pixels)
    except Exception as error:  # noqa: BLE001 -- readers are others' code
        return pillow_refusal(payload, error)


def _opened_header(payload: bytes, max_pixels: int) -> Header | Refusal:
    with open_image(payload) as image:
        if (fault := _too_large(image.width, image.height, max_pixels)) is not None:
            return fault
        if is_misread(image):
            return refusal("unsupported_format", "a TIFF of 16-bit channels in planes of their own")
        orientation, flags = _valid(_exif_orientation(image, payload))
        profile = image.info.get("icc_profile")
        if profile and not is_profile(profile):
            flags = (*flags, "odd_profile")
        is_turned = image.format == "TIFF" and orientation >= 5  # Pillow gives the displayed size of a TIFF, as of no other
        width, height = (image.height, image.width) if is_turned else image.size
        return Header(
            width_px=width, height_px=height, mode=image.mode, bits=bits_of(image, payload),
            frame_count=int(getattr(image, "n_frames", 1)), orientation=orientation,
            has_alpha=image.mode in _ALPHA_MODES or "transparency" in image.info, flags=flags,
        )  # fmt: skip


def _valid(orientation: Any) -> tuple[int, tuple[str, ...]]:
    if orientation is None:
        return 1, ()
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        return orientation, ()
    return 1, ("odd_orientation",)


def _has_late_metadata(payload: bytes) -> bool:
    """Return whether a PNG has metadata behind its first pixels."""
    kinds = [kind for kind, _, _ in png_chunks(payload)]
    first = kinds.index(b"IDAT") if b"IDAT" in kinds else 0
    return not _PNG_METADATA.isdisjoint(kinds[first:])


def _exif_orientation(image: Image.Image, payload: bytes) -> Any:
    try:
        if image.format == "PNG" and not _has_late_metadata(payload):  # Pillow decodes a whole PNG to look behind its pixels
            return Image.Image.getexif(image).get(_ORIENTATION_TAG)
        return image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 -- broken metadata never costs an image
        return 0
