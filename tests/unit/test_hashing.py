"""Identities: of bytes, of pixels, and of what an image looks like."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import png16, tiff
from PIL import Image

from toolkit.curation.examine import examine
from toolkit.curation.hashing import byte_identity, luma_hash, perceptual_hash, pixel_hash

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "sample_data" / "photos").glob("*.jpg"))

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(index: int = 0) -> Image.Image:
    with Image.open(PHOTOS[index]) as image:
        return image.convert("RGB")


def distance(one: bytes, other: bytes) -> int:
    hashes = [examine(payload, name="a").facts["perceptual_hash"] for payload in (one, other)]
    return ((hashes[0] ^ hashes[1]) & (2**64 - 1)).bit_count()


def test_the_identity_of_bytes_is_their_sha256() -> None:
    image_id, sha256 = byte_identity(b"abc")
    assert sha256 == hashlib.sha256(b"abc").hexdigest()
    assert image_id == sha256[:32]


def test_equal_pixels_hash_alike_in_any_lossless_container_with_any_metadata() -> None:
    image = photo()
    exif = Image.Exif()
    exif[0x010E] = "a description"
    same = [
        encoded(image),
        encoded(image, compress_level=1),
        encoded(image, exif=exif),
        encoded(image, "BMP"),
        encoded(image, "TIFF"),
        encoded(image, "TIFF", compression="tiff_lzw"),
        encoded(image, "WEBP", lossless=True),
        encoded(image, "JPEG2000"),
    ]
    assert len({pixel_hash(payload) for payload in same}) == 1
    assert len({examine(payload, name="a").facts["pixel_hash"] for payload in same}) == 1


def test_a_palette_and_one_bit_are_the_colours_that_they_stand_for() -> None:
    few = photo().quantize(16)
    assert pixel_hash(encoded(few)) == pixel_hash(encoded(few.convert("RGB")))
    ink = photo().convert("1")
    assert pixel_hash(encoded(ink)) == pixel_hash(encoded(ink.convert("L")))
    wide = Image.fromarray((np.arange(4096, dtype=np.uint16) * 16).reshape(64, 64))
    assert pixel_hash(encoded(wide)) == pixel_hash(encoded(wide, "TIFF"))
    key = encoded(few, transparency=3)
    assert pixel_hash(key) == pixel_hash(encoded(Image.open(io.BytesIO(key)).convert("RGBA")))


def test_pixels_that_differ_in_anything_hash_apart() -> None:
    red, blue = Image.new("RGB", (64, 64), (76, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 200))
    wide, tall = Image.new("RGB", (32, 64)), Image.new("RGB", (64, 32))
    flat = Image.new("L", (64, 64), 128)
    checks = Image.fromarray(((np.indices((64, 64)).sum(axis=0) % 2) * 255).astype(np.uint8))
    clear, opaque = Image.new("RGBA", (8, 8), (0, 0, 0, 0)), Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    images = [red, blue, wide, tall, flat, checks, clear, opaque, photo(0), photo(1)]
    assert len({pixel_hash(encoded(image)) for image in images}) == len(images)


def test_red_and_blue_of_equal_luma_collide_in_luma_and_not_in_pixels() -> None:
    """The hazard for which the full decode exists."""
    red, blue = Image.new("RGB", (64, 64), (76, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 200))
    assert red.convert("L").getpixel((0, 0)) == blue.convert("L").getpixel((0, 0))
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 100})):
        one, other = (encoded(image, kind, **options) for image in (red, blue))
        assert examine(one, name="a").facts["luma_hash"] == examine(other, name="a").facts["luma_hash"], kind
        assert pixel_hash(one) != pixel_hash(other), kind


def test_flat_gray_and_a_fine_checkerboard_differ_in_pixels() -> None:
    checks = ((np.indices((1024, 1024)).sum(axis=0) % 2) * 2 + 127).astype(np.uint8)
    one, other = encoded(Image.fromarray(checks)), encoded(Image.new("L", (1024, 1024), 128))
    assert examine(one, name="a").facts["luma_hash"] == examine(other, name="a").facts["luma_hash"]
    assert pixel_hash(one) != pixel_hash(other)


def test_jpegs_that_differ_in_metadata_alone_hash_alike() -> None:
    payload = PHOTOS[0].read_bytes()
    commented = payload[:2] + b"\xff\xfe\x00\x07words" + payload[2:]
    assert pixel_hash(payload) == pixel_hash(commented)
    one, other = (examine(data, name="a.jpg").facts for data in (payload, commented))
    assert one["luma_hash"] == other["luma_hash"]
    assert one["image_id"] != other["image_id"]


def test_two_animations_that_begin_alike_are_two() -> None:
    first, second, third = (photo(i).resize((80, 60)) for i in range(3))
    one = encoded(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    other = encoded(first, "WEBP", save_all=True, append_images=[third], lossless=True)
    assert pixel_hash(one) != pixel_hash(other)
    assert examine(one, name="a.webp").facts["pixel_hash"] != examine(other, name="a.webp").facts["pixel_hash"]


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_16_bits_is_hashed_in_full_depth_in_any_container(channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65_536, (20, 30, channels), dtype=np.uint16)
    other = values.copy()
    other[3, 4, 1] ^= 1  # in the byte that Pillow leaves out
    found = examine(png16(values), name="a.png")
    assert (found.refusal, found.facts["bits"], found.facts["mode"]) == (None, 16, "RGB" if channels == 3 else "RGBA")
    same = [png16(values), png16(values, level=1), tiff(values), tiff(values, ">")]
    assert len({found.facts["pixel_hash"]} | {pixel_hash(payload) for payload in same}) == 1
    assert None not in {pixel_hash(png16(other)), found.facts["pixel_hash"]}
    assert pixel_hash(png16(other)) == pixel_hash(tiff(other)) != found.facts["pixel_hash"]


def test_what_the_decoder_cuts_has_no_pixel_hash() -> None:
    gray_alpha = png16(np.random.default_rng(0).integers(0, 65_536, (20, 30, 2), dtype=np.uint16))
    assert pixel_hash(gray_alpha) is None
    five_channels = tiff(np.random.default_rng(0).integers(0, 256, (20, 30, 5), dtype=np.uint8), extra=[0, 0])
    assert examine(five_channels, name="a.tif").refusal is None
    assert pixel_hash(five_channels) is None


@pytest.mark.parametrize("payload", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_decoded_has_no_pixel_hash(payload: bytes) -> None:
    assert pixel_hash(payload) is None


def test_a_luma_hash_knows_the_size() -> None:
    luma = np.zeros((16, 16), dtype=np.uint8)
    assert luma_hash(luma, 160, 160) != luma_hash(luma, 161, 160)
    assert luma_hash(luma, 160, 160) == luma_hash(luma.copy(order="F"), 160, 160)


def test_alike_images_are_near_and_others_are_far() -> None:
    near, far = [], []
    for index in range(0, len(PHOTOS), 3):
        image, payload = photo(index), PHOTOS[index].read_bytes()
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
        alike = [encoded(image), encoded(image, "JPEG", quality=50), encoded(half, "JPEG", quality=85), encoded(image, "WEBP")]
        near += [distance(payload, other) for other in alike]
        far.append(distance(payload, PHOTOS[(index + 1) % len(PHOTOS)].read_bytes()))
    assert max(near) <= 4
    assert min(far) > 10


def test_a_flat_image_has_no_bits_of_noise() -> None:
    for level in range(256):
        for shape in ((48, 64), (64, 64), (97, 41), (95, 101), (3, 200), (1, 1)):
            assert perceptual_hash(np.full(shape, level, dtype=np.uint8)) == 0, (level, shape)


def test_fading_towards_the_edges_finds_more_cropped_copies() -> None:
    """Of copies without 4 % of their width and height, 41 of 42 are within six bits; 36 were without fading."""
    near = 0
    for index in range(len(PHOTOS)):
        image = photo(index)
        left, top = round(image.width * 0.02), round(image.height * 0.02)
        crop = image.crop((left, top, image.width - left, image.height - top))
        near += distance(encoded(image, compress_level=1), encoded(crop, compress_level=1)) <= 6
    assert near >= 40
