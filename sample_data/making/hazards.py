"""What breaks pipelines: copies, near copies, damage, lies, bombs and names; and a second batch that meets the first."""

from __future__ import annotations

import io
import random
import time
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from making.photographs import NEAR_BITS, Variants, decoded, encoded, perceptual_hash
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from making.collection import Collection

NAMES = (
    "Fußgänger in Zürich.jpg",
    "日本語の写真.jpg",
    "صورة.jpg",
    "emoji 📷.jpg",
    "<script>alert(1)<_script>.jpg",
    "quote ' and \" double.jpg",
    "new\nline.jpg",
    "percent %20 & hash #1.jpg",
    "looks like a.zip!member.jpg",
    "trailing space .jpg",
    "-rf.jpg",
    "$(touch injected).jpg",
    "UPPER.JPG",
)


def duplicates(raw: Collection, variants: Variants) -> None:
    """Write exact copies under other names, equal pixels in other files, and near duplicates of three strengths."""
    for i, label in enumerate(variants.classes):
        original = f"by_class/{label}/img_000.jpg"
        raw.image(f"duplicates/copy of {i}.jpg", raw.read(original), "duplicate", duplicate_of=original)
    original = "by_class/pants/img_003.jpg"  # somebody sorted it into two classes
    raw.image("by_class/shoes/mislabelled.jpg", raw.read(original), "duplicate", duplicate_of=original, label="shoes")
    image = variants.next(longest_px=128)
    raw.image("duplicates/pixels_a.png", encoded(image, "PNG"))
    raw.image("duplicates/pixels_b.bmp", encoded(image, "BMP"), "duplicate", duplicate_of="duplicates/pixels_a.png")
    exif = Image.Exif()
    exif[0x010E] = "the same picture, described"
    plain = variants.next()
    raw.image("duplicates/plain_a.jpg", encoded(plain))
    raw.image("duplicates/plain_b.jpg", encoded(plain, exif=exif), "duplicate", duplicate_of="duplicates/plain_a.jpg")
    for strength, change in (("reencoded", _reencoded), ("resized", _resized), ("cropped", _cropped)):
        for i in range(4):
            first, second = _near_pair(variants, change)
            raw.image(f"near/{strength}_{i}_a.jpg", first, near_group=f"{strength}_{i}")
            raw.image(f"near/{strength}_{i}_b.jpg", second, near_group=f"{strength}_{i}")


def _reencoded(photo: Image.Image) -> bytes:
    return encoded(photo, quality=50)


def _resized(photo: Image.Image) -> bytes:
    return encoded(photo.resize((photo.width * 2 // 3, photo.height * 2 // 3), Image.Resampling.LANCZOS))


def _cropped(photo: Image.Image) -> bytes:
    """Return the photograph without 1 % of its width and height on each side."""
    left, top = max(1, photo.width // 100), max(1, photo.height // 100)
    return encoded(photo.crop((left, top, photo.width - left, photo.height - top)), quality=85)


def _near_pair(variants: Variants, change: Callable[[Image.Image], bytes]) -> tuple[bytes, bytes]:
    """Return a photograph and its changed copy that its perceptual hash clearly still knows."""
    while True:
        photo = variants.next()
        first, second = encoded(photo, quality=90), change(photo)
        if _is_near(decoded(first), decoded(second)):
            return first, second


def _is_near(one: Image.Image, other: Image.Image) -> bool:
    return bool((perceptual_hash(one) != perceptual_hash(other)).sum() <= NEAR_BITS)


def damage(raw: Collection, variants: Variants) -> None:
    """Write files that end early or whose middle is destroyed, and one whose damage nothing in the file tells."""
    new = variants.next

    def refused(name: str, payload: bytes, reason: str) -> None:
        raw.image(f"hazards/{name}", payload, "quarantined", reason=reason)

    whole = encoded(new(), quality=90)
    refused("truncated.jpg", whole[: len(whole) // 2], "truncated")
    for name, kind, longest_px in (("truncated.png", "PNG", 128), ("truncated.webp", "WEBP", 256), ("truncated.tif", "TIFF", 96)):
        whole = encoded(new(longest_px=longest_px), kind)
        refused(name, whole[: len(whole) * 2 // 3], "truncated")
    refused("middle_damaged.jpg", _damaged(encoded(new(), quality=90)), "damaged")
    png = bytearray(encoded(new(longest_px=128), "PNG"))
    png[len(png) // 2] ^= 0xFF
    refused("bad_crc.png", bytes(png), "damaged")
    raw.image("hazards/silent_damage.jpg", _silently_damaged(encoded(new(), quality=90)))


def _damaged(payload: bytes) -> bytes:
    """Return the JPEG with 64 bytes of its middle destroyed such that a strict decoder can tell and a lenient one cannot."""
    generator = random.Random(5)
    while True:
        damaged = bytearray(payload)
        start = generator.randint(len(payload) // 3, len(payload) // 2)
        damaged[start : start + 64] = generator.randbytes(64)
        if _complaint(bytes(damaged)).startswith("Corrupt JPEG data") and _is_opened(bytes(damaged)):
            return bytes(damaged)


def _silently_damaged(payload: bytes) -> bytes:
    """Return the JPEG with one byte of its middle changed such that its pixels differ and no decoder can tell."""
    generator = random.Random(7)
    while True:
        damaged = bytearray(payload)
        damaged[generator.randint(len(payload) // 3, len(payload) // 2)] ^= 1 << generator.randrange(8)
        if _complaint(bytes(damaged)):
            continue
        before, after = (np.asarray(decoded(version), np.int16) for version in (payload, bytes(damaged)))
        if np.abs(before - after).max() > 60:
            return bytes(damaged)


def _complaint(payload: bytes) -> str:
    """Return what the strict decoder says, nothing if it is content."""
    try:
        simplejpeg.decode_jpeg(payload, strict=True)
    except ValueError as fault:
        return str(fault)
    return ""


def _is_opened(payload: bytes) -> bool:
    """Return whether the lenient decoder takes it for an image."""
    try:
        decoded(payload)
    except (OSError, SyntaxError):
        return False
    return True


def lies(raw: Collection, variants: Variants) -> None:
    """Write files that are not what their names or headers say, and images that are too much or too little."""
    new = variants.next

    def refused(name: str, payload: bytes, reason: str) -> None:
        raw.image(f"hazards/{name}", payload, "quarantined", reason=reason)

    refused("zero_bytes.jpg", b"", "empty")
    refused("text.jpg", b"this is a text that somebody called a picture\n" * 9, "not_an_image")
    refused("error_page.jpg", b"<!DOCTYPE html><html><body>404: not found</body></html>\n", "not_an_image")
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>\n'
    refused("drawing.svg", b'<?xml version="1.0"?>' + drawing, "vector_image")
    refused("really_a_pdf.jpg", _pdf(new(longest_px=128)), "unsupported_format")
    refused("bomb.png", encoded(Image.new("1", (20_000, 20_000)), "PNG", optimize=True), "too_many_pixels")
    raw.image("hazards/really_a_png.jpg", encoded(new(longest_px=128), "PNG"), flags=["wrong_extension"])
    raw.image("hazards/no_extension", encoded(new()))
    trailing = encoded(new()) + b"appended by a faulty program " * 40
    raw.image("hazards/trailing_bytes.jpg", trailing, flags=["trailing_bytes"])
    exif = Image.Exif()
    exif[0x0112] = 99
    raw.image("hazards/orientation_99.jpg", encoded(new(), exif=exif), flags=["odd_orientation"])
    raw.image("hazards/tiny.png", encoded(new().resize((8, 8)), "PNG"), "dropped", reason="too_small")
    for name, colour in (("all_black", 0), ("all_white", 255)):  # flat: their perceptual hashes mean nothing
        raw.image(f"hazards/{name}.png", encoded(Image.new("RGB", (256, 256), (colour,) * 3), "PNG"))
    raw.other(".DS_Store", b"\x00\x00\x00\x01Bud1", "skipped(hidden)")
    raw.other("by_class/Thumbs.db", b"\xd0\xcf\x11\xe0", "skipped(system)")
    raw.other("hazards/notes.md", b"# notes\nnot an image, and does not claim to be one\n", "skipped(other)")


def _pdf(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    moment = time.gmtime(0)  # the hour of writing would make each run differ
    image.save(buffer, "PDF", creationDate=moment, modDate=moment)
    return buffer.getvalue()


def names(raw: Collection, variants: Variants) -> None:
    """Write photographs whose names break shells, web pages, tables and listings."""
    for name in NAMES:
        raw.image(f"names/{name}", encoded(variants.next()))


def second_batch(more: Collection, raw: Collection, variants: Variants) -> None:
    """Write what arrives a week later: new photographs, copies of old ones, a near duplicate of an old one, a broken one."""
    for i in range(22):
        label = variants.classes[i % len(variants.classes)]
        more.image(f"week2/{label}/new_{i:02d}.jpg", encoded(variants.next(label)), label=label)
    for i, label in enumerate(variants.classes[:5]):
        original = f"by_class/{label}/img_001.jpg"
        more.image(f"again/copy_{i}.jpg", raw.read(original), "duplicate", duplicate_of=f"raw/{original}")
    pair = [decoded(raw.read(f"near/reencoded_0_{which}.jpg")) for which in "ab"]
    copies = (encoded(pair[0], quality=quality) for quality in range(70, 90))
    copy = next(copy for copy in copies if all(_is_near(decoded(copy), photo) for photo in pair))
    more.image("again/near_old.jpg", copy, near_group="reencoded_0")
    more.image("again/broken.jpg", encoded(variants.next())[:2_000], "quarantined", reason="truncated")
