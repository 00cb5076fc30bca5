"""What bytes are, by what they begin with: the name and its ending are only a hint."""

from __future__ import annotations

import re
from typing import Final

from toolkit.curation.reasons import Refusal, refusal
from toolkit.dataset.readers import installed_readers, reader_for

__all__ = ["IMAGE_SUFFIXES", "SUFFIXES", "claims_image", "is_image", "is_misnamed", "sniff", "unread"]

_MAGIC: Final = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"8BPS", "psd"),
    (b"qoif", "qoi"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"v/1\x01", "exr"),
    (b"#?RADIANCE", "hdr"),
    (b"\xff\x0a", "jpegxl"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jpegxl"),
    (b"%PDF-", "pdf"),
    (b"%!PS", "postscript"),
)
"""Source: the formats' specifications; gathered in RFC 2083 (PNG), TIFF 6.0, ITU-T T.81 (JPEG), GIF89a, ISO 15444-1."""

_HEIF_BRANDS: Final = {b"heic": "heif", b"heix": "heif", b"hevc": "heif", b"mif1": "heif", b"msf1": "heif"}
_AVIF_BRANDS: Final = {b"avif": "avif", b"avis": "avif"}

SUFFIXES: Final = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "png": (".png", ".apng"),
    "gif": (".gif",),
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
    "bmp": (".bmp", ".dib"),
    "avif": (".avif", ".avifs"),
    "jpeg2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
}
"""Usual endings of the formats that are read."""

IMAGE_SUFFIXES: Final = frozenset(
    [suffix for suffixes in SUFFIXES.values() for suffix in suffixes]
    + [".heic", ".heif", ".svg", ".svgz", ".psd", ".jxl", ".ico", ".exr", ".hdr", ".qoi", ".dcm", ".eps"]
)
"""Endings of files that claim to be images: those are examined, and refused with a reason if they are none."""


def claims_image(suffix: str) -> bool:
    """Return whether files with an ending (lower case, with its dot) claim to be images; installed readers add theirs.

    Examples
    --------
    >>> claims_image(".jpg"), claims_image(".heic"), claims_image(".txt"), claims_image("")
    (True, True, False, False)
    """
    return suffix in IMAGE_SUFFIXES or any(suffix in reader.suffixes for reader in installed_readers())


def is_misnamed(suffix: str, kind: str) -> bool:
    """Return whether an ending is that of another format than the one that was found.

    Examples
    --------
    >>> is_misnamed(".png", "jpeg"), is_misnamed(".jpg", "jpeg"), is_misnamed(".dat", "jpeg"), is_misnamed(".jpg", "heif")
    (True, False, False, True)
    """
    return suffix not in SUFFIXES.get(kind, ()) and any(suffix in others for others in SUFFIXES.values())


_BY_READER: Final = "a reader can be added, see docs/readers.md"

_HINTS: Final = {
    "jpegxl": ("codec_missing", f"JPEG XL; convert it (djxl), or install a reader for it: {_BY_READER}"),
    "dicom": ("unsupported_format", f"DICOM; convert it (for example with pydicom), or install a reader for it: {_BY_READER}"),
    "svg": ("vector_image", "SVG"),
    "postscript": ("vector_image", "PostScript"),
    "pdf": ("unsupported_format", f"PDF; convert its pages (pdftoppm), or install a reader for it: {_BY_READER}"),
    "html": ("not_an_image", "it is an HTML page"),
    "unknown": ("not_an_image", ""),
}
"""What is said of what no installed reader claims."""


def unread(kind: str) -> Refusal:
    """Return why bytes of a kind that nothing here reads are refused.

    Examples
    --------
    >>> unread("qoi").message
    'no reader for this format is installed: QOI; a reader can be added, see docs/readers.md'
    """
    reason, detail = _HINTS.get(kind, ("unsupported_format", f"{kind.upper()}; {_BY_READER}"))
    return refusal(reason, detail)


_SVG: Final = re.compile(
    rb"^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE\s+svg[^>]*>\s*)?<svg[\s>]", re.DOTALL | re.IGNORECASE
)


def sniff(payload: bytes) -> str:
    """Return the format of bytes, lower case; ``"svg"``, ``"html"`` or ``"unknown"`` for what is no raster image.

    Examples
    --------
    >>> sniff(b"GIF89a..."), sniff(b"<svg xmlns='x'>"), sniff(b"hello")
    ('gif', 'svg', 'unknown')
    """
    if payload[128:132] == b"DICM":  # its preamble may hold a TIFF header, for readers that know no DICOM
        return "dicom"
    for magic, name in _MAGIC:
        if payload.startswith(magic):
            return name
    if payload[:4] == b"RIFF" and payload[8:12] == b"WEBP":
        return "webp"
    if payload[4:8] == b"ftyp":
        return _iso_brand(payload)
    if (
        payload[:2] == b"BM"
        and len(payload) > 26
        and int.from_bytes(payload[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124}
    ):
        return "bmp"
    head = payload[:1024]
    if _SVG.match(head):
        return "svg"
    if re.match(rb"^\s*(<!doctype html|<html|<head|<body)", head, re.IGNORECASE):
        return "html"
    return "unknown"


_NO_EVIDENCE: Final = frozenset({"unknown", "html", "svg", "pdf", "postscript", "ico", "jpegxl"})
"""Of no use to tell an image among files of any kind: no image, no pixels, or a magic of so few bytes that others have it."""


def is_image(head: bytes) -> bool:
    """Return whether a file whose name claims nothing is an image, by its first bytes.

    Examples
    --------
    >>> is_image(b"GIF89a..."), is_image(b"%PDF-1.7"), is_image(b"")
    (True, False, False)
    """
    return sniff(head) not in _NO_EVIDENCE or reader_for(head) is not None


def _iso_brand(payload: bytes) -> str:
    """Return the format that an ISO media file's brands name; AVIF wins over the general HEIF brands."""
    size = min(int.from_bytes(payload[:4], "big"), 256)
    brands = [payload[8:12], *(payload[i : i + 4] for i in range(16, size, 4))]
    for table in (_AVIF_BRANDS, _HEIF_BRANDS):
        for brand in brands:
            if brand in table:
                return table[brand]
    return "unknown"
