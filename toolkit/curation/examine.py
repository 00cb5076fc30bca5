"""Bytes in; facts, hashes and scores out, or a refusal with its reason. Never raises on bad bytes."""

from __future__ import annotations

import dataclasses
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np  # noqa: TC002 -- as below
from numpy.typing import NDArray  # noqa: TC002 -- a field's type can be resolved at run time

from toolkit.curation.colour import colorfulness_of
from toolkit.curation.endings import ending_flag
from toolkit.curation.hashing import Span, byte_identity, luma_hash, perceptual_hashes
from toolkit.curation.headers import Header, read_header
from toolkit.curation.jpeg import Decoded, can_be_strict, decode_jpeg
from toolkit.curation.limits import Limits
from toolkit.curation.markers import has_too_many_scans
from toolkit.curation.quality import scored_luma, scores_of
from toolkit.curation.raster import decode_raster
from toolkit.curation.reasons import Refusal, refusal
from toolkit.curation.sniffing import SUFFIXES, is_misnamed, sniff, unread
from toolkit.dataset.readers import reader_for

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Examination", "Limits", "Pixels", "examine", "inspect", "pixel_facts"]

_DEFAULT = Limits()

_FLIPPED_COLUMNS: Final = frozenset({2, 3, 6, 7})
_FLIPPED_ROWS: Final = frozenset({3, 4, 7, 8})
"""Orientations that show what is stored from right to left, or from bottom to top. Source: Exif 2.32, tag 0x0112."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """What decoding gave of an image, from which its hashes of looks and its scores follow."""

    luma: NDArray[np.uint8]
    """Shape (height, width), scaled, as displayed."""
    spans: tuple[Span, Span]
    """From where to where the image goes in it, down and across."""
    width_px: int
    """Display width of the image."""
    height_px: int
    """Display height of the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is known of one image."""

    facts: dict[str, Any]
    """By the names of ``FACT_FIELDS`` and ``SCORE_FIELDS``; ``image_id``, ``sha256`` and ``size_bytes`` always."""
    refusal: Refusal | None = None
    """Why it is not let in; None if it is sound."""
    pixels: Pixels | None = None
    """Of a sound image, what ``pixel_facts`` are still to be made of; None once they are among its facts."""


def examine(payload: bytes, *, name: str, limits: Limits | None = None) -> Examination:
    """Return all that is known of an image from its bytes, or why it is refused.

    Parameters
    ----------
    payload : bytes
        The encoded image.
    name : str
        Its name, as a hint: an ending that says another format is flagged.
    limits : Limits, optional
        Limits on pixels and frames.
    """
    found = inspect(payload, name=name, limits=limits)
    return found if found.pixels is None else Examination(facts=found.facts | pixel_facts([found.pixels])[0])


def inspect(payload: bytes, *, name: str, limits: Limits | None = None) -> Examination:
    """Return what ``examine`` does, but for hashes of looks and scores, which many images get at once from ``pixel_facts``.

    The parameters are those of ``examine``.
    """
    image_id, sha256 = byte_identity(payload)
    facts: dict[str, Any] = {"image_id": image_id, "sha256": sha256, "size_bytes": len(payload)}
    if not payload:
        return Examination(facts=facts, refusal=refusal("empty"))
    kind = sniff(payload)
    reader = None if kind in SUFFIXES else reader_for(payload)
    if kind not in SUFFIXES and reader is None:
        return Examination(facts=facts, refusal=unread(kind))
    facts["format"] = kind if reader is None else reader.name
    header = read_header(payload, kind, limits or _DEFAULT, reader)
    if isinstance(header, Refusal):
        return Examination(facts=facts, refusal=header)
    facts |= _header_facts(header)
    decoded = _decoded(payload, header) if reader is None else decode_raster(payload, ("check_lenient",))
    flags = [*header.flags, *decoded.flags, *_byte_flags(payload, facts["format"], name, header)]
    if decoded.refusal is not None or decoded.luma is None:
        return Examination(facts=facts | {"flags": flags}, refusal=decoded.refusal)
    colours = colorfulness_of(payload) if limits is not None and limits.colour_scores else None
    facts |= {"flags": flags, "pixel_hash": decoded.pixel_hash, "colorfulness_score": colours}
    return Examination(facts=facts, pixels=_pixels(decoded, decoded.luma, header))


def _decoded(payload: bytes, header: Header) -> Decoded:
    """Return the one decode of an image, by the decoder that its header calls for."""
    if header.frame is None:
        return decode_raster(payload)
    if has_too_many_scans(payload):
        return Decoded(refusal=refusal("damaged", "it repeats its scans over and over, which would take minutes to decode"))
    if can_be_strict(payload, header.frame):
        return decode_jpeg(payload, is_upright=header.height_px > header.width_px)
    return dataclasses.replace(decode_raster(payload, ("check_lenient",)), pixel_hash=None)  # JPEGs get theirs when luma collides


def _header_facts(header: Header) -> dict[str, Any]:
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


def _byte_flags(payload: bytes, kind: str, name: str, header: Header) -> list[str]:
    flags = []
    if is_misnamed(posixpath.splitext(name)[1].lower(), kind):
        flags.append("wrong_extension")
    if header.frame_count > 1:
        flags.append("multi_frame")
    if (kind != "jpeg" or header.frame_count == 1) and (flag := ending_flag(payload, kind)) is not None:
        flags.append(flag)
    return flags


def pixel_facts(images: Sequence[Pixels]) -> list[dict[str, Any]]:
    """Return hashes of looks and scores of many images; of each as if it were alone.

    One after another, between decodes that empty the processor's caches, they took three times as long.
    """
    fine = [image.luma for image in images]
    hashes = perceptual_hashes(fine, [image.spans for image in images])
    lumas = [scored_luma(luma) for luma in fine]
    aspects = [min(image.width_px, image.height_px) / max(image.width_px, image.height_px) for image in images]
    return [
        {
            "luma_hash": luma_hash(image.luma, image.width_px, image.height_px),
            "perceptual_hash": perceptual,
        }
        | found
        for image, perceptual, found in zip(images, hashes, scores_of(lumas, fine, aspects), strict=True)
    ]


def _pixels(decoded: Decoded, luma: NDArray[np.uint8], header: Header) -> Pixels:
    oriented = luma if decoded.is_oriented else _oriented(luma, header.orientation)
    turned = header.orientation >= 5
    width, height = (header.height_px, header.width_px) if turned else (header.width_px, header.height_px)
    scale = decoded.scale_share or _eighths(oriented, max(width, height))
    turns = 1 if decoded.is_oriented else header.orientation
    down = _span(oriented.shape[0], height * scale, is_flipped=turns in _FLIPPED_ROWS)
    across = _span(oriented.shape[1], width * scale, is_flipped=turns in _FLIPPED_COLUMNS)
    return Pixels(luma=oriented, spans=(down, across), width_px=width, height_px=height)


def _span(length_px: int, extent_px: float, *, is_flipped: bool) -> Span:
    """Return from where to where an image goes in its luma, whose last pixel may be a part of one; the first, once flipped."""
    extent_px = min(float(length_px), extent_px)
    return (length_px - extent_px, float(length_px)) if is_flipped else (0.0, extent_px)


def _eighths(luma: NDArray[np.uint8], longer_px: int) -> float:
    """Return the scale at which libjpeg gave a luma: a whole number of eighths, the last pixel rounded up.

    Source: libjpeg-turbo, ``TJSCALED``.
    """
    return float(max(1, round(8 * max(luma.shape) / longer_px)) / 8)


def _oriented(luma: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a stored luma as it is displayed.

    Source: Exif 2.32, tag 0x0112.
    """
    turned = luma.T if orientation >= 5 else luma
    if orientation in _FLIPPED_COLUMNS:
        turned = turned[:, ::-1]
    if orientation in _FLIPPED_ROWS:
        turned = turned[::-1]
    return turned
