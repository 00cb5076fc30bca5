"""What bytes are, by what they begin with: the name and its ending are only a hint."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["IMAGE_SUFFIXES", "SUFFIXES", "is_image", "sniff"]

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
    return sniff(head) not in _NO_EVIDENCE


def _iso_brand(payload: bytes) -> str:
    """Return the format that an ISO media file's brands name; AVIF wins over the general HEIF brands."""
    size = min(int.from_bytes(payload[:4], "big"), 256)
    brands = [payload[8:12], *(payload[i : i + 4] for i in range(16, size, 4))]
    for table in (_AVIF_BRANDS, _HEIF_BRANDS):
        for brand in brands:
            if brand in table:
                return table[brand]
    return "unknown"
