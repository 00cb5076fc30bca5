"""What an image is, and why it is refused: from bytes made here, each with one thing wrong."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile

from toolkit.curation.examine import Examination, Limits, examine
from toolkit.curation.headers import Header, read_header
from toolkit.curation.markers import png_chunks
from toolkit.curation.reasons import REASONS
from toolkit.dataset.schema import FACT_FIELDS, SCORE_FIELDS

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def photo(width: int = 200, height: int = 150, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return a picture with something to see: slopes, edges, a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = 120 + 60 * np.sin(x / 17 + seed) + 50 * np.cos(y / 11) + 40 * ((x // 40 + y // 30) % 2)
    pixels = np.stack([base, base[::-1], 255 - base], axis=-1) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def seen(payload: bytes, name: str = "a.jpg", **limits: int) -> Examination:
    return examine(payload, name=name, limits=Limits(**limits) if limits else None)


def reason(payload: bytes, name: str = "a.jpg", **limits: int) -> str | None:
    found = seen(payload, name, **limits).refusal
    assert found is None or found.stage == REASONS[found.reason][0] or found.stage in {"sniff", "header", "decode"}
    return None if found is None else found.reason


PNG = encoded(photo(), "PNG")
JPEG = encoded(photo(), quality=90)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """Return a PNG with a chunk put behind its header."""
    return png[:33] + chunk(kind, body) + png[33:]


@pytest.mark.parametrize(
    ("kind", "options", "format_", "mode", "bits"),
    [
        ("JPEG", {}, "jpeg", "RGB", 8),
        ("JPEG", {"progressive": True}, "jpeg", "RGB", 8),
        ("PNG", {}, "png", "RGB", 8),
        ("WEBP", {"lossless": True}, "webp", "RGB", 8),
        ("WEBP", {"quality": 80}, "webp", "RGB", 8),
        ("TIFF", {"compression": "tiff_lzw"}, "tiff", "RGB", 8),
        ("GIF", {}, "gif", "P", 8),
        ("BMP", {}, "bmp", "RGB", 8),
        ("AVIF", {}, "avif", "RGB", 8),
        ("JPEG2000", {}, "jpeg2000", "RGB", 8),
    ],
)
def test_every_format_is_read_with_all_its_facts(kind: str, options: dict[str, Any], format_: str, mode: str, bits: int) -> None:
    found = seen(encoded(photo(), kind, **options), f"a.{format_}")
    assert found.refusal is None
    facts = found.facts
    assert (facts["format"], facts["mode"], facts["bits"]) == (format_, mode, bits)
    assert (facts["width_px"], facts["height_px"], facts["frame_count"], facts["orientation"]) == (200, 150, 1, 1)
    assert facts["flags"] == []
    assert set(facts) == {field.name for field in [*FACT_FIELDS, *SCORE_FIELDS]}
    assert facts["image_id"] == facts["sha256"][:32]
    assert (facts["pixel_hash"] is None) == (kind == "JPEG")


def test_facts_fit_the_table() -> None:
    schema = pa.schema([*FACT_FIELDS, *SCORE_FIELDS])
    rows = [seen(payload).facts for payload in (JPEG, PNG, b"", b"text", PNG[:300], encoded(photo(mode="LA"), "PNG"))]
    assert pa.Table.from_pylist(rows, schema=schema).num_rows == 6


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "empty"),
        (b"just some words, long enough to be a file of its own", "not_an_image"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "vector_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "vector_image"),
        (b"%PDF-1.7\n", "unsupported_format"),
        (b"8BPS\x00\x01" + bytes(40), "unsupported_format"),
        (b"II*\x00" + bytes(124) + b"DICM" + bytes(64), "unsupported_format"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64), "damaged"),
        (b"\xff\x0a" + bytes(64), "codec_missing"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[:400], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (encoded(photo(), "WEBP")[:-900], "truncated"),
        (encoded(photo(), "TIFF")[:5000], "truncated"),
        (encoded(photo(), "BMP")[:-5000], "truncated"),
        (encoded(photo(), "AVIF")[:-500], "truncated"),
        (b"\xff\xd8\xff\xe0" + bytes(2000) + b"\xff\xd9", "damaged"),
    ],
)
def test_what_is_no_sound_image_is_refused_with_its_reason(payload: bytes, code: str) -> None:
    assert reason(payload) == code


def test_the_checksum_of_pixels_is_held_against_them_and_that_of_text_is_not() -> None:
    kind, _, end = next(part for part in png_chunks(PNG) if part[0] == b"IDAT")
    assert kind == b"IDAT"
    broken = bytearray(PNG)
    broken[end - 1] ^= 0xFF
    assert reason(bytes(broken)) == "damaged"
    text = bytearray(with_chunk(PNG, b"tEXt", b"Comment\0harmless"))
    text[text.index(b"harmless")] ^= 0x01
    found = seen(bytes(text), "a.png")
    assert found.refusal is None
    assert found.facts["flags"] == ["odd_metadata"]


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    assert reason(bomb, "a.png") == "too_many_pixels"
    assert reason(JPEG, max_pixels=29_999) == "too_many_pixels"
    assert reason(JPEG, max_pixels=30_000) is None
    for kind in ("WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000"):
        assert reason(encoded(photo(), kind), max_pixels=29_999) == "too_many_pixels", kind


def test_text_that_unpacks_to_megabytes_costs_no_image() -> None:
    bomb = with_chunk(PNG, b"zTXt", b"Comment\0\0" + zlib.compress(bytes(40_000_000), 9))
    found = seen(bomb, "a.png")
    assert found.refusal is None
    assert found.facts["flags"] == ["odd_metadata"]
    assert found.facts["pixel_hash"] == seen(PNG, "a.png").facts["pixel_hash"]


def test_frames_are_counted_limited_and_each_of_them_decoded() -> None:
    frames = [photo(seed=seed) for seed in range(4)]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        payload = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        found = seen(payload, f"a.{kind.lower()}")
        assert found.refusal is None, kind
        assert (found.facts["frame_count"], found.facts["flags"]) == (4, ["multi_frame"]), kind
        assert reason(payload, max_frames=3) == "too_many_frames", kind
    tiff = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_deflate")
    with Image.open(io.BytesIO(tiff)) as image:
        image.seek(3)
        start = image.tag_v2[273][0]
    damaged = tiff[: start + 60] + bytes(200) + tiff[start + 260 :]
    assert reason(damaged, "a.tiff") in {"damaged", "truncated"}


def test_the_header_of_a_png_is_read_without_its_pixels_unless_metadata_stand_behind_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = encoded(Image.new("RGB", (20, 10)), "PNG", exif=exif(6))
    parts = {kind: payload[start:end] for kind, start, end in png_chunks(payload)}
    late = payload.replace(parts[b"eXIf"], b"").replace(parts[b"IEND"], parts[b"eXIf"] + parts[b"IEND"])
    assert examine(late, name="a.png").facts["orientation"] == 6
    monkeypatch.setattr(PngImageFile, "load", None)
    header = read_header(payload, "png", Limits(), None)
    assert isinstance(header, Header)
    assert header.orientation == 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_hash_are_those_of_the_displayed_image(kind: str, orientation: int) -> None:
    options: dict[str, Any] = {"exif": exif(orientation)}
    options |= {"quality": 95} if kind in {"JPEG", "AVIF"} else {"lossless": True} if kind == "WEBP" else {}
    with Image.open(SAMPLE / "photos" / "dress_1.jpg") as dress:
        payload = encoded(dress.convert("RGB").resize((200, 150)), kind, **options)
    facts = seen(payload, f"a.{kind.lower()}").facts
    assert facts["orientation"] == orientation
    assert (facts["width_px"], facts["height_px"]) == ((150, 200) if orientation >= 5 else (200, 150))
    with Image.open(io.BytesIO(payload)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    expected = seen(encoded(upright, "PNG"), "a.png").facts
    assert ((facts["perceptual_hash"] ^ expected["perceptual_hash"]) & (2**64 - 1)).bit_count() <= 4
    if kind in {"PNG", "TIFF", "WEBP"}:
        assert facts["pixel_hash"] == expected["pixel_hash"]


@pytest.mark.parametrize("value", [0, 9, 99, 65535])
def test_an_orientation_that_is_none_is_one_and_flagged(value: int) -> None:
    facts = seen(encoded(photo(), exif=exif(value))).facts
    assert (facts["orientation"], facts["flags"]) == (1, ["odd_orientation"])


def test_broken_exif_is_flagged_and_costs_no_image() -> None:
    broken = encoded(photo(), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    found = seen(broken)
    assert (found.refusal, found.facts["flags"], found.facts["orientation"]) == (None, ["odd_metadata"], 1)


def test_gray_of_16_bits_is_scaled_not_clipped_to_white() -> None:
    ramp = np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (64, 1))
    facts = seen(encoded(Image.fromarray(ramp), "PNG"), "a.png").facts
    assert facts["bits"] == 16
    assert facts["brightness_share"] == pytest.approx(0.5, abs=0.02)


def test_transparency_is_a_fact_and_lies_on_white() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    facts = seen(encoded(clear, "PNG"), "a.png").facts
    assert facts["has_alpha"] is True
    assert facts["brightness_share"] == 1.0
    assert seen(PNG).facts["has_alpha"] is False
    palette = photo(mode="P")
    palette.info["transparency"] = 0
    assert seen(encoded(palette, "PNG"), "a.png").facts["has_alpha"] is True


@pytest.mark.parametrize(("payload", "name"), [(JPEG, "a.jpg"), (PNG, "a.png"), (encoded(photo(), "WEBP"), "a.webp")])
def test_bytes_behind_the_end_are_flagged(payload: bytes, name: str) -> None:
    assert seen(payload, name).facts["flags"] == []
    found = seen(payload + b"PK\x03\x04 something else", name)
    assert (found.refusal, found.facts["flags"]) == (None, ["trailing_bytes"])


def test_the_name_is_a_hint() -> None:
    assert seen(PNG, "a.jpg").facts["flags"] == ["wrong_extension"]
    assert seen(PNG, "a").facts["flags"] == []
    assert seen(PNG, "A.PNG").facts["flags"] == []


def test_the_largest_images_do_not_take_gigabytes(tmp_path: Path) -> None:
    """A palette image of 40 megapixels would take 480 MB as three copies in RGBA; the most a process held is asked of the system."""
    image = Image.new("P", (10_000, 4_000))
    image.putpalette([i % 256 for i in range(768)])
    path = tmp_path / "a.png"
    image.save(path, transparency=0)
    code = (
        "import resource, sys; from pathlib import Path; from toolkit.curation.examine import examine\n"
        "import toolkit.curation.pixels\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = examine(Path(sys.argv[1]).read_bytes(), name='a.png')\n"
        "print(found.refusal is None, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    is_sound, grown_kib = done.stdout.split()
    assert is_sound == "True"
    assert int(grown_kib) * 1024 < 200e6
