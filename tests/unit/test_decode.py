"""Previews of anything, and smaller images in place of large ones."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import tiff
from PIL import Image, ImageCms

from toolkit.curation.decode import preview, reencode
from toolkit.curation.examine import examine
from toolkit.curation.hashing import pixel_hash
from toolkit.dataset.decoding import decode_rgb, to_rgb

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(payload: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(payload))
    image.load()
    return image


def halves(width: int = 300, height: int = 200) -> Image.Image:
    """Return red above blue."""
    image = Image.new("RGB", (width, height), (220, 20, 20))
    image.paste((20, 20, 220), (0, height // 2, width, height))
    return image


def turned(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000"])
def test_a_preview_is_small_and_looks_like_the_image(kind: str) -> None:
    small = opened(preview(encoded(halves(), kind), 90)).convert("RGB")
    assert small.size == (90, 60)
    assert small.getpixel((45, 10))[0] > 150
    assert small.getpixel((45, 50))[2] > 150


def test_a_preview_is_turned_as_the_image_is_displayed() -> None:
    small = opened(preview(encoded(halves(), exif=turned(6)), 90)).convert("RGB")
    assert small.size == (60, 90)
    assert small.getpixel((50, 45))[0] > 150  # what was above is now right
    assert small.getpixel((10, 45))[2] > 150


def test_what_is_damaged_is_shown_as_far_as_it_decodes() -> None:
    payload = (SAMPLE / "photos" / "dress_1.jpg").read_bytes()
    assert opened(preview(payload[: len(payload) // 2])).size[1] > 0
    broken = bytearray(payload)
    broken[len(payload) // 2 : len(payload) // 2 + 64] = bytes(64)
    assert preview(bytes(broken))


@pytest.mark.parametrize("payload", [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(50), b"II*\0" + bytes(50)])
def test_what_cannot_be_shown_gives_nothing(payload: bytes) -> None:
    assert preview(payload) == b""


def test_a_bomb_is_not_unpacked_to_be_shown() -> None:
    bomb = next((SAMPLE / "raw" / "hazards").glob("bomb.png")).read_bytes()
    assert preview(bomb) == b""


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "I;16", "F", "CMYK", "L"])
def test_every_mode_has_a_preview(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 40), 30_000, dtype=np.uint16))
    else:
        image = halves(40, 40).convert("L").convert(mode) if mode in {"1", "F", "LA"} else halves(40, 40).convert(mode)
    kind = "TIFF" if mode in {"F", "CMYK"} else "PNG"
    assert opened(preview(encoded(image, kind))).size == (40, 40)


@pytest.mark.parametrize(
    ("sides", "size", "encoding"),
    [
        ({"longest_px": 150}, (150, 100), "jpeg:q=90:longest=150"),
        ({"shortest_px": 50}, (75, 50), "jpeg:q=90:shortest=50"),
        ({"longest_px": 1000}, (300, 200), "jpeg:q=90:longest=1000"),
        ({}, (300, 200), "jpeg:q=90"),
    ],
)
def test_an_image_is_made_smaller_never_larger(sides: dict[str, int], size: tuple[int, int], encoding: str) -> None:
    for kind in ("JPEG", "PNG"):
        smaller, how = reencode(encoded(halves(), kind), **sides)
        assert (opened(smaller).size, how) == (size, encoding)


def test_the_turn_is_baked_in_and_the_tag_is_gone() -> None:
    smaller, _ = reencode(encoded(halves(), exif=turned(6)), longest_px=150)
    image = opened(smaller)
    assert image.size == (100, 150)
    assert 0x0112 not in image.getexif()
    assert image.getpixel((90, 75))[0] > 150


def test_large_jpegs_are_read_at_reduced_size_with_the_same_result() -> None:
    big = halves(1600, 1066)
    direct = np.asarray(opened(reencode(encoded(big, "PNG"), longest_px=160)[0]), dtype=int)
    reduced = np.asarray(opened(reencode(encoded(big, quality=95), longest_px=160)[0]), dtype=int)
    assert direct.shape == reduced.shape
    assert np.abs(direct - reduced).mean() < 4


def test_colours_come_to_srgb_also_in_a_turned_image() -> None:
    """A profile whose red and blue are exchanged makes red blue, in an image that is turned as well."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    payload = encoded(halves(), quality=95, icc_profile=exchanged, exif=turned(6))
    image = opened(reencode(payload)[0])
    assert image.size == (200, 300)
    assert image.getpixel((190, 150))[2] > 150  # what was above, and red, is now right, and blue
    assert image.getpixel((10, 150))[0] > 150
    assert "icc_profile" not in image.info


def test_a_profile_that_is_none_means_srgb() -> None:
    plain, _ = reencode(encoded(halves()))
    odd, _ = reencode(encoded(halves(), icc_profile=b"no profile at all" * 20))
    assert plain == odd


def test_transparency_is_laid_on_white() -> None:
    smaller, _ = reencode(encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), "PNG"))
    assert opened(smaller).getpixel((32, 32)) == (255, 255, 255)


def with_text_bomb(payload: bytes) -> bytes:
    """Return a PNG with a text chunk that unpacks to 80 MB, which Pillow refuses to read."""
    body = b"zTXtComment\0\0" + zlib.compress(bytes(80_000_000), 9)
    return payload[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + payload[33:]


def test_what_is_kept_despite_its_text_is_read_by_all_who_read_it() -> None:
    plain = encoded(halves(), "PNG")
    bomb = with_text_bomb(plain)
    assert examine(bomb, name="a.png").refusal is None
    assert np.array_equal(decode_rgb(bomb), decode_rgb(plain))
    assert decode_rgb(bomb, 32).shape == (32, 32, 3)
    assert reencode(bomb, longest_px=30) == reencode(plain, longest_px=30)
    assert preview(bomb) == preview(plain) != b""
    assert pixel_hash(bomb) == pixel_hash(plain) == examine(bomb, name="a.png").facts["pixel_hash"]


def test_a_damaged_png_with_text_is_still_an_error() -> None:
    bomb = with_text_bomb(encoded(halves(), "PNG"))
    with pytest.raises((OSError, SyntaxError)):
        decode_rgb(bomb[:-200])


def test_previews_have_the_colours_of_inverted_cmyk_and_of_lab() -> None:
    flat = Image.new("CMYK", (80, 60), (0, 255, 255, 0))  # red; in a JPEG Pillow writes it inverted, as Adobe does
    for payload in (encoded(flat), encoded(flat, "TIFF")):
        red, green, blue = opened(preview(payload)).convert("RGB").getpixel((40, 30))
        assert (red > 180, max(green, blue) < 90) == (True, True)
        assert decode_rgb(payload)[30, 40, 0] > 2 * int(decode_rgb(payload)[30, 40, 1:].max())
    lab = Image.merge("LAB", [Image.new("L", (80, 60), value) for value in (140, 200, 128)])
    assert examine(encoded(lab, "TIFF"), name="a.tif").refusal is None
    red, green, _ = opened(preview(encoded(lab, "TIFF"))).convert("RGB").getpixel((40, 30))
    assert red > green + 60


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_preview_has_the_colours_of_its_profile(kind: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    shown = opened(preview(encoded(halves(), kind, icc_profile=exchanged))).convert("RGB")
    assert shown.getpixel((80, 10))[2] > 150
    assert shown.getpixel((80, 95))[0] > 150


@pytest.mark.parametrize(
    ("values", "brightest", "darkest"),
    [
        (np.array([[0.0, 0.5], [0.25, 0.5]], np.float32), 127, 0),  # shares are taken as such
        (np.array([[0.0, 60_000.0], [30_000.0, 1.0]], np.float32), 255, 0),
        (np.array([[np.nan, np.inf], [0.5, 1.0]], np.float32), 255, 0),
        (np.array([[-5, 70_000], [0, 30_000]], np.int32), 255, 0),
        (np.array([[0, 65_535], [256, 512]], np.int32), 255, 0),
        (np.array([[7, 7], [7, 7]], np.int32), 7, 7),
        (np.full((2, 2), np.nan, np.float32), 0, 0),
    ],
)
def test_wide_values_are_scaled_to_what_can_be_shown(values: np.ndarray, brightest: int, darkest: int) -> None:
    shown = np.asarray(to_rgb(Image.fromarray(np.kron(values, np.ones((20, 20), values.dtype)))))
    assert (int(shown.max()), int(shown.min())) == (brightest, darkest)


def test_a_hot_pixel_does_not_turn_a_float_image_black() -> None:
    values = np.random.default_rng(0).normal(1000, 50, (200, 200)).astype(np.float32)
    values[3, 3] = 1e9
    assert np.asarray(to_rgb(Image.fromarray(values))).mean() > 80


def test_unsigned_values_of_32_bits_are_not_taken_for_negative_ones() -> None:
    ramp = np.linspace(0, 2**32 - 1, 256 * 200).reshape(200, 256).astype(np.uint32)
    shown = decode_rgb(tiff(ramp))[:, :, 0].astype(int)
    assert np.abs(shown - (ramp >> 24)).max() <= 2
    assert examine(tiff(ramp), name="a.tif").facts["brightness_share"] == pytest.approx(0.5, abs=0.02)
