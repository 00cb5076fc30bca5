"""One strict decode of a JPEG to a scaled luma, and what libjpeg's complaints mean.

libjpeg-turbo in strict mode, at reduced size, still runs the whole entropy decode: damage is found as by a full decode, at
less cost. The decoder is chosen from the header, never because another one failed: a fallback after a refusal would undo
the strictness.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray  # noqa: TC002 -- a field's type can be resolved at run time

from toolkit.curation.markers import JpegFrame, jpeg_segments
from toolkit.curation.reasons import Refusal, refusal

__all__ = ["LUMA_PX", "Decoded", "can_be_strict", "decode_jpeg", "jpeg_verdict", "tidied"]

LUMA_PX: Final = (48, 64)
"""Shorter and longer side of the scaled luma, at least, where the image has them. From 512 px on, libjpeg gives each block of
8 x 8 as its mean then, which is the fastest that it can do, and the exact average that scores and perceptual hash ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What one strict decode gave."""

    luma: NDArray[np.uint8] | None = None
    """Shape (height, width), scaled."""
    scale_share: float | None = None
    """Pixels of the luma per pixel of the image, which may leave a part of one at its right and lower edge; None if unsaid."""
    is_oriented: bool = False
    """Whether the luma is as displayed; else it is as stored."""
    refusal: Refusal | None = None
    """Why there is none."""
    flags: tuple[str, ...] = ()
    """What was noticed."""
    pixel_hash: str | None = None
    """Hash of the full pixels, where the decode was full anyway."""


_STRICT_MARKERS: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Frames that are decoded at reduced size: baseline, extended and progressive, Huffman or arithmetic. A lossless frame (0xC3)
must never come here: libjpeg-turbo 3 writes past its buffer when one is scaled."""

_EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")

_VERDICTS: Final = (
    ("Premature end of JPEG file", "refuse", "truncated"),
    ("Premature end of input file", "refuse", "truncated"),
    ("Empty input file", "refuse", "truncated"),
    ("Empty JPEG image", "refuse", "unsupported_format"),  # its height stands behind its data (DNL)
    ("unknown JFIF revision number", "flag", "odd_metadata"),
    ("Unknown Adobe color transform code", "flag", "odd_metadata"),
    ("Invalid SOS parameters for sequential JPEG", "flag", "odd_metadata"),
    ("Insufficient memory", "refuse", "too_many_pixels"),
)
"""What is not simply damage. Source: libjpeg-turbo 3.1, jerror.h, codes JERR_* and JWRN_*."""


def jpeg_verdict(message: str, payload: bytes) -> tuple[str, str]:
    r"""Return ``("flag", name)`` for a harmless complaint of libjpeg, or ``("refuse", reason)`` for damage.

    Extra bytes are harmless between header segments, and as padding before the end; anything else between the end of the
    coded data and the end marker is what is left over when damage threw the entropy decoder off: a sixth of all damage
    inside a scan shows in no other way.

    Examples
    --------
    >>> jpeg_verdict("Premature end of JPEG file", b"")
    ('refuse', 'truncated')
    >>> jpeg_verdict("Corrupt JPEG data: 2 extraneous bytes before marker 0xd9", b"...\x00\x00\xff\xd9")
    ('flag', 'extraneous_bytes')
    >>> jpeg_verdict("Corrupt JPEG data: bad Huffman code", b"")
    ('refuse', 'damaged')
    """
    found = _EXTRANEOUS.search(message)
    if found:
        count, marker = int(found.group(1)), int(found.group(2), 16)
        end = payload.rfind(b"\xff\xd9")
        is_padding = marker == 0xD9 and (count == 1 or set(payload[max(0, end - count) : end]) <= {0x00, 0xFF})
        is_in_header = payload.count(b"\xff\xda") == 1 and not 0xD0 <= marker <= 0xD9
        return ("flag", "extraneous_bytes") if is_padding or is_in_header else ("refuse", "damaged")
    for words, kind, name in _VERDICTS:
        if words in message:
            return kind, name
    return "refuse", "damaged"


def can_be_strict(payload: bytes, frame: JpegFrame) -> bool:
    """Return whether libjpeg-turbo's simple interface reads a JPEG at all, judged by its header alone."""
    if frame.marker not in _STRICT_MARKERS:
        return False
    try:
        simplejpeg.decode_jpeg_header(payload, strict=False)
    except KeyError:  # a subsampling that has no name
        return False
    except ValueError as fault:
        return "subsampling" not in str(fault)  # any other fault is the strict decode's to name
    return True


def decode_jpeg(payload: bytes, *, is_upright: bool = False) -> Decoded:
    """Return the scaled luma of a JPEG, strictly decoded; of one for which ``can_be_strict`` holds.

    Parameters
    ----------
    payload : bytes
        The encoded image.
    is_upright : bool
        Whether it is stored higher than wide.
    """
    least = LUMA_PX[::-1] if is_upright else LUMA_PX
    luma, message = _gray(payload, least)
    if luma is not None:
        return Decoded(luma=luma)
    kind, name = jpeg_verdict(message, payload)
    if kind == "flag":
        return _behind(name, payload, least)
    if name == "truncated" and payload.count(b"\xff\xda") == 1:  # of several scans the last may be missing, and nobody complains
        luma, _ = _gray(payload + b"\xff\xd9", least)
        if luma is not None:
            return Decoded(luma=luma, flags=("missing_end",))
    return Decoded(refusal=refusal(name, message))


def _behind(flag: str, payload: bytes, least: tuple[int, int]) -> Decoded:
    """Return what a JPEG holds behind a harmless complaint: libjpeg names its first alone, damage may stand behind it."""
    repaired = tidied(payload)
    luma, message = _gray(repaired, least)
    if luma is None:
        kind, name = jpeg_verdict(message, repaired)
        if kind == "refuse":
            return Decoded(refusal=refusal(name, message))
        luma, message = _gray(repaired, least, strict=False)
    return Decoded(refusal=refusal("damaged", message)) if luma is None else Decoded(luma=luma, flags=(flag,))


def _gray(payload: bytes, least: tuple[int, int], *, strict: bool = True) -> tuple[NDArray[np.uint8] | None, str]:
    """Return a luma of at least so many rows and columns, or None and libjpeg's complaint."""
    try:
        pixels: Any = simplejpeg.decode_jpeg(payload, colorspace="GRAY", min_height=least[0], min_width=least[1], strict=strict)
    except (ValueError, KeyError) as fault:
        return None, str(fault)
    return np.asarray(pixels[:, :, 0], dtype=np.uint8), ""


def tidied(payload: bytes) -> bytes:
    """Return a JPEG without what stands between its header segments, and without JFIF and Adobe segments of no known version."""
    parts, end = [payload[:2]], 2
    for marker, start, end in jpeg_segments(payload):
        body = payload[start + 4 : end]
        is_odd_jfif = marker == 0xE0 and body[:5] == b"JFIF\0" and body[5:6] != b"\x01"
        is_odd_adobe = marker == 0xEE and body[:5] == b"Adobe" and body[11:12] > b"\x02"
        if not is_odd_jfif and not is_odd_adobe:
            parts.append(payload[start:end])
    return b"".join(parts) + payload[end:]
