"""Every hazard of real image collections, one row each: the bytes, made here, and what becomes of them.

The numbers are those of the list of hazards that other tools were tried on; each number has at least one row.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import tarfile
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from made_images import chunk, png16, png_of, tiff
from PIL import Image, ImageFile

import toolkit
from toolkit.curation.decode import preview
from toolkit.curation.examine import Limits, examine
from toolkit.curation.reasons import FLAGS, REASONS
from toolkit.curation.sources import SourceUnit, discover, read_unit, reread
from toolkit.dataset.decoding import FORMATS, decode_rgb
from toolkit.dataset.reading import Dataset

RNG = np.random.default_rng(7)


def photo(width: int = 200, height: int = 150, mode: str = "RGB", seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = 120 + 60 * np.sin(x / 17 + seed) + 50 * np.cos(y / 11) + 40 * ((x // 40 + y // 30) % 2)
    pixels = np.stack([base, base[::-1], 255 - base], axis=-1) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def encoded(kind: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    photo(mode=mode).save(buffer, kind, **options)
    return buffer.getvalue()


def see_through(kind: str, **options: Any) -> bytes:
    image, buffer = photo(mode="RGBA"), io.BytesIO()
    image.putalpha(photo().convert("L"))
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def several(kind: str, count: int = 3, **options: Any) -> bytes:
    buffer = io.BytesIO()
    photo().save(buffer, kind, save_all=True, append_images=[photo(seed=seed) for seed in range(1, count)], **options)
    return buffer.getvalue()


def heic() -> bytes:
    from pillow_heif import from_pillow

    buffer = io.BytesIO()
    from_pillow(photo()).save(buffer)
    return buffer.getvalue()


def cut(payload: bytes, share: float = 0.5) -> bytes:
    return payload[: int(len(payload) * share)]


def overwritten(payload: bytes, share: float, count: int = 64) -> bytes:
    place = int(len(payload) * share)
    return payload[:place] + np.random.default_rng(1).bytes(count) + payload[place + count :]


def with_chunk(png: bytes, body: bytes) -> bytes:
    return png[:33] + body + png[33:]


def bad(one: bytes) -> bytes:
    """Return a PNG chunk whose checksum does not hold."""
    return one[:-1] + bytes([one[-1] ^ 1])


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    parts = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(body[at : at + 65_000]) + 2) + body[at : at + 65_000]
        for at in range(0, len(body), 65_000)
    )
    return jpeg[:2] + parts + jpeg[2:]


def exif_of(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def gif_of_empty_frames(count: int) -> bytes:
    """Return an animation whose frames are one pixel each: few bytes, many frames."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", 20, 20, 0x80, 0, 0) + bytes(6)
    return head + frame * count + b"\x3b"


def leaked() -> bytes:
    """Return a TIFF of an image that an encoder of another format has left its state in."""
    image = photo()
    image.save(io.BytesIO(), "JPEG", quality=50, progressive=True)
    buffer = io.BytesIO()
    image.copy().save(buffer, "TIFF")
    return buffer.getvalue()


JPEG, PNG, GIF, WEBP = encoded(quality=90), encoded("PNG"), encoded("GIF"), encoded("WEBP")
TIFF, BMP, AVIF, JP2, HEIC = encoded("TIFF"), encoded("BMP"), encoded("AVIF"), encoded("JPEG2000"), heic()
LZW = encoded("TIFF", compression="tiff_lzw")
ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as _archive:
    _archive.writestr("hidden.txt", "behind an image")

KEPT: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hazard:
    number: int
    name: str
    make: Callable[[], bytes]
    reason: str | None
    """The code that it is refused with; None if it is kept."""
    flags: tuple[str, ...] = ()
    """All flags of what is kept."""
    file_name: str = "a"
    limits: Limits | None = None


def refused(number: int, name: str, reason: str, make: Callable[[], bytes], **more: Any) -> Hazard:
    return Hazard(number, name, make, reason, **more)


def kept(number: int, name: str, make: Callable[[], bytes], *flags: str, **more: Any) -> Hazard:
    return Hazard(number, name, make, None, flags, **more)


HAZARDS = [
    refused(1, "PNG of 900 Mpx in 109 KB", "too_many_pixels", lambda: png_of(30_000, 30_000, 1, 0, bytes(3_750 * 30_000))),
    refused(1, "WebP that says 268 Mpx", "too_many_pixels", lambda: WEBP[:26] + struct.pack("<HH", 16_383, 16_383) + WEBP[30:]),
    refused(1, "GIF that says 4,295 Mpx", "too_many_pixels", lambda: GIF[:6] + b"\xff\xff\xff\xff" + GIF[10:]),
    refused(1, "BMP that says 10 Gpx", "too_many_pixels", lambda: BMP[:18] + struct.pack("<ii", 99_999, 99_999) + BMP[26:]),
    refused(1, "JPEG that says 4,295 Mpx", "too_many_pixels", lambda: JPEG.replace(b"\x08\x00\x96\x00\xc8", b"\x08\xff\xff\xff\xff", 1)),
    refused(1, "TIFF that says 3 Gpx", "too_many_pixels", lambda: tiff(np.zeros((2, 3), np.uint8)).replace(
        struct.pack("<HHII", 256, 4, 1, 3), struct.pack("<HHII", 256, 4, 1, 1_500_000_000), 1)),
    refused(1, "animation of 60,000 frames", "too_many_frames", lambda: gif_of_empty_frames(60_000)),
    refused(2, "36 Mpx of 1 bit in 5 KB, past the memory", "too_much_memory", lambda: png_of(6_000, 6_000, 1, 0, bytes(750 * 6_000)),
            limits=Limits(max_decoded_bytes=2**24)),
    refused(2, "floats of 17 Mpx, past the memory", "too_much_memory", lambda: tiff(np.zeros((4_200, 4_200), np.float32)),
            limits=Limits(max_decoded_bytes=2**26)),
    kept(3, "PNG text of 80 MB", lambda: with_chunk(PNG, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000)))), "odd_metadata"),
    kept(3, "PNG profile of 80 MB", lambda: with_chunk(PNG, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(80_000_000)))), "odd_metadata"),
    kept(3, "PNG text with a bad checksum", lambda: with_chunk(PNG, bad(chunk(b"tEXt", b"a\0b"))), "odd_metadata"),
    refused(3, "PNG pixels with a bad checksum", "damaged", lambda: PNG[:33] + bad(PNG[33:-12]) + PNG[-12:]),
    refused(3, "PNG palette with a bad checksum", "damaged", lambda: with_chunk(encoded("PNG", "P"), bad(chunk(b"PLTE", bytes(9))))),
    *(refused(4, f"{name} cut to {share:.0%}", "truncated", lambda payload=payload, share=share: cut(payload, share))
      for share in (0.5, 0.95)
      for name, payload in (("JPEG", JPEG), ("progressive JPEG", encoded(progressive=True)), ("PNG", PNG), ("GIF", GIF), ("WebP", WEBP),
                            ("TIFF", TIFF), ("TIFF by LZW", LZW), ("BMP", BMP), ("AVIF", AVIF), ("JPEG 2000", JP2), ("HEIC", HEIC),
                            ("animated WebP", several("WEBP")), ("animated PNG", several("PNG")), ("pages", several("TIFF")))),
    refused(4, "header alone", "truncated", lambda: JPEG[:200]),
    kept(5, "JPEG without its end mark", lambda: JPEG[:-2], "missing_end"),
    kept(5, "GIF without its end mark", lambda: GIF[:-1], "missing_end"),
    refused(5, "PNG without its end chunk", "truncated", lambda: PNG[:-12]),
    refused(6, "JPEG with rot in its scan", "damaged", lambda: overwritten(JPEG, 0.6)),
    refused(6, "PNG with rot", "damaged", lambda: overwritten(PNG, 0.6)),
    refused(6, "LZW with rot", "damaged", lambda: overwritten(LZW, 0.3, 400)),
    kept(7, "CMYK JPEG, inverted as Adobe does", lambda: encoded(mode="CMYK")),
    kept(7, "CMYK TIFF", lambda: encoded("TIFF", "CMYK")),
    kept(8, "gray PNG of 16 bits", lambda: png16(RNG.integers(0, 65_536, (60, 80), dtype=np.uint16))),
    kept(8, "gray TIFF of 16 bits, big-endian", lambda: tiff(RNG.integers(0, 65_536, (60, 80), dtype=np.uint16), ">")),
    kept(8, "float TIFF", lambda: tiff(RNG.random((60, 80), dtype=np.float32))),
    kept(8, "TIFF of 32-bit integers", lambda: tiff(RNG.integers(-9, 2**20, (60, 80), dtype=np.int32))),
    kept(9, "RGB PNG of 16 bits", lambda: png16(RNG.integers(0, 65_536, (60, 80, 3), dtype=np.uint16))),
    kept(9, "RGB TIFF of 16 bits", lambda: tiff(RNG.integers(0, 65_536, (60, 80, 3), dtype=np.uint16))),
    kept(9, "TIFF of 5 channels", lambda: tiff(RNG.integers(0, 256, (60, 80, 5), dtype=np.uint8), extra=[0, 0])),
    refused(9, "TIFF of 16 bits in planes, which Pillow misreads", "unsupported_format",
            lambda: tiff(RNG.integers(0, 65_536, (60, 80, 3), dtype=np.uint16), planar=2)),
    refused(9, "TIFF of 64-bit floats", "unsupported_format", lambda: tiff(RNG.random((60, 80)))),
    kept(10, "palette with transparency", lambda: encoded("PNG", "P", transparency=3)),
    kept(10, "gray with alpha", lambda: encoded("PNG", "LA"), "opaque_alpha"),
    kept(10, "alpha that hides something", lambda: see_through("PNG")),
    kept(10, "the same in a lossless WebP", lambda: see_through("WEBP", lossless=True)),
    kept(10, "alpha that hides nothing", lambda: encoded("PNG", "RGBA"), "opaque_alpha"),
    *(kept(11, f"orientation {turn}", lambda turn=turn: encoded(exif=exif_of(turn))) for turn in range(1, 9)),
    kept(12, "orientation 99", lambda: encoded(exif=exif_of(99)), "odd_orientation"),
    kept(12, "EXIF that is none", lambda: with_segment(JPEG, 0xE1, b"Exif\0\0rubbish"), "odd_metadata"),
    kept(12, "XMP that is none", lambda: with_segment(JPEG, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:broken")),
    kept(13, "profile of 3 MB at random", lambda: with_segment(JPEG, 0xE2, b"ICC_PROFILE\0\x01\x01" + RNG.bytes(3_000_000)), "odd_profile"),
    kept(13, "PNG profile that is none", lambda: encoded("PNG", icc_profile=b"no profile at all " * 20), "odd_profile"),
    kept(14, "animated GIF", lambda: several("GIF"), "multi_frame"),
    kept(14, "animated WebP", lambda: several("WEBP"), "multi_frame"),
    kept(14, "animated PNG", lambda: several("PNG"), "multi_frame"),
    kept(14, "several pictures (MPO)", lambda: several("MPO"), "multi_frame"),
    kept(14, "several pages", lambda: several("TIFF"), "multi_frame"),
    refused(14, "animation whose last frame is rotten", "damaged", lambda: overwritten(several("PNG"), 0.95)),
    kept(15, "HEIC", lambda: HEIC, "check_lenient"),
    kept(15, "AVIF", lambda: AVIF),
    kept(15, "JPEG 2000", lambda: JP2),
    refused(15, "JPEG XL", "codec_missing", lambda: b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(50)),
    refused(16, "zero bytes", "empty", lambda: b""),
    refused(16, "drawing", "vector_image", lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'></svg>"),
    refused(16, "error page", "not_an_image", lambda: b"<!DOCTYPE html><html>404</html>", file_name="a.jpg"),
    refused(16, "text", "not_an_image", lambda: b"hello", file_name="a.jpg"),
    refused(16, "DICOM", "unsupported_format", lambda: bytes(128) + b"DICM" + bytes(100)),
    kept(17, "PNG that is called JPEG", lambda: PNG, "wrong_extension", file_name="a.jpg"),
    refused(18, "EPS, for which Pillow would call Ghostscript", "vector_image", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    refused(18, "WMF", "not_an_image", lambda: b"\xd7\xcd\xc6\x9a" + bytes(80)),
    refused(18, "MPEG", "not_an_image", lambda: b"\x00\x00\x01\xb3" + bytes(80)),
    refused(18, "HDF5", "not_an_image", lambda: b"\x89HDF\r\n\x1a\n" + bytes(80)),
    refused(18, "PDF", "unsupported_format", lambda: b"%PDF-1.7\n" + bytes(80)),
    *(kept(19, f"{name} that is a zip as well", lambda payload=payload: payload + ZIP.getvalue(), *flags, "trailing_bytes")
      for name, payload, flags in (("JPEG", JPEG, ()), ("PNG", PNG, ()), ("GIF", GIF, ()), ("WebP", WEBP, ()), ("BMP", BMP, ()),
                                   ("AVIF", AVIF, ()), ("JPEG 2000", JP2, ()), ("HEIC", HEIC, ("check_lenient",)),
                                   ("animated GIF", several("GIF"), ("multi_frame",)))),
    kept(19, "TIFF that is a zip as well (its parts may lie anywhere)", lambda: TIFF + ZIP.getvalue()),
    kept(28, "TIFF written from an image that was once a JPEG", leaked),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: f"{hazard.number}-{hazard.name}")
def test_each_hazard_has_its_outcome(hazard: Hazard) -> None:
    payload = hazard.make()
    found = examine(payload, name=hazard.file_name, limits=hazard.limits)
    if hazard.reason is not None:
        assert found.refusal is not None, found.facts
        assert found.refusal.reason == hazard.reason, found.refusal.message
        assert found.refusal.stage == REASONS[hazard.reason].stage
        assert found.refusal.message.startswith(REASONS[hazard.reason].sentence)
        assert len(found.refusal.message) < 400
        return
    assert found.refusal is None, found.refusal
    assert tuple(found.facts["flags"]) == hazard.flags
    assert set(hazard.flags) <= set(FLAGS)
    pixels = decode_rgb(payload)  # what is kept, training can read
    assert pixels.shape == (found.facts["height_px"], found.facts["width_px"], 3)


def test_bombs_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one of them reaches a decoder, which is made to fail here."""

    def exploding(*_: object, **__: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", exploding)
    for hazard in HAZARDS:
        if hazard.number in {1, 2}:
            assert getattr(examine(hazard.make(), name="a", limits=hazard.limits).refusal, "reason", None) == hazard.reason


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_of_the_openers_of_pillow_only_those_of_the_list_are_ever_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the others calls Ghostscript, one a film decoder."""
    Image.init()
    others = set(Image.OPEN) - set(FORMATS) - {"MPO"}
    assert {"EPS", "WMF", "PDF", "MPEG", "HDF5"} & others
    called: list[str] = []
    for name in others:
        monkeypatch.setitem(Image.OPEN, name, (lambda *_, name=name: called.append(name), lambda _: True))
    for hazard in HAZARDS:
        if hazard.number not in {1, 2, 3}:
            payload = hazard.make()
            examine(payload, name=hazard.file_name)
            preview(payload)
    assert called == []


def test_the_global_guard_of_pillow_is_as_it_was() -> None:
    assert Image.MAX_IMAGE_PIXELS == 89_478_485
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_sixteen_bits_are_not_white() -> None:
    values = np.full((40, 60), 32_768, dtype=np.uint16)
    colour = np.full((40, 60, 3), 32_768, dtype=np.uint16)
    for payload in (png16(values), tiff(values), tiff(values, ">"), png16(colour), tiff(colour)):
        assert decode_rgb(payload).mean() == pytest.approx(128, abs=1)
        assert examine(payload, name="a").facts["brightness_share"] == pytest.approx(0.5, abs=0.01)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the hazards that lie in names, archives, links and labels."""
    place = tmp_path_factory.mktemp("hazards") / "raw"
    place.mkdir()
    seeds = iter(range(100, 200))

    def picture() -> bytes:
        buffer = io.BytesIO()
        photo(90, 70, seed=next(seeds)).save(buffer, "PNG")
        return buffer.getvalue()

    for name in ("one.zip", "two.zip"):  # 20
        with zipfile.ZipFile(place / name, "w") as archive:
            archive.writestr("same.png", picture())
    names = [b"caf\xe9.png", b"A.png", b"a.png"]  # 21, 25
    names += [unicodedata.normalize(form, "é.png").encode() for form in ("NFC", "NFD")]
    for raw_name in names:
        (place / "names").mkdir(exist_ok=True)
        with open(os.fsencode(place / "names") + b"/" + raw_name, "wb") as file:  # noqa: PTH123 -- a name that is no text
            file.write(picture())
    with zipfile.ZipFile(place / "slip.zip", "w") as archive:  # 22
        archive.writestr("../../evil.png", picture())
    with tarfile.open(place / "links.tar", "w") as archive:
        for name, kind in (("link.png", tarfile.SYMTYPE), ("device.png", tarfile.CHRTYPE), ("hard.png", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    (place / "loop").mkdir()  # 23
    (place / "loop" / "in.png").write_bytes(picture())
    (place / "loop" / "again").symlink_to(place / "loop", target_is_directory=True)
    (place / "loop" / "gone.png").symlink_to(place / "nowhere.png")
    os.mkfifo(place / "loop" / "pipe.png")
    for label, count in (("cat", 4), ("dog", 1)):  # 26
        (place / "classes" / label).mkdir(parents=True)
        for index in range(count):
            (place / "classes" / label / f"{index}.png").write_bytes(picture())
    (place / "listed").mkdir()  # 27
    for index in range(3):
        (place / "listed" / f"{index}.png").write_bytes(picture())
    table = "\ufefffile_name,label\n0.png,naïve\n0.png,naïve\n1.png,old\ngone.png,lost\n"
    (place / "listed" / "metadata.csv").write_text(table, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def curated(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return toolkit.curate(raw, tmp_path_factory.mktemp("curated") / "dataset", workers=1)


@pytest.fixture(scope="module")
def rows(curated: Dataset) -> dict[str, dict[str, Any]]:
    found = curated.scan("catalog").collect().to_dicts()
    return {row["source"].removeprefix("raw/"): row for row in found}


def test_20_the_same_name_in_many_archives_is_many_images(rows: dict[str, dict[str, Any]]) -> None:
    one, two = rows["one.zip!same.png"], rows["two.zip!same.png"]
    assert one["state"] == two["state"] == "kept"
    assert one["image_id"] != two["image_id"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_21_and_25_names_are_only_names(rows: dict[str, dict[str, Any]]) -> None:
    found = {source: row for source, row in rows.items() if source.startswith("names/")}
    assert len(found) == 5
    assert {row["state"] for row in found.values()} == {"kept"}
    assert len({row["image_id"] for row in found.values()}) == 5
    assert found["names/caf\\xe9.png"]["source_raw"].endswith(b"caf\xe9.png")


def test_22_members_that_leave_an_archive_are_refused(rows: dict[str, dict[str, Any]], curated: Dataset) -> None:
    unsafe = {source: row for source, row in rows.items() if row["reason"] == "unsafe_member"}
    assert {source.split("!")[0] for source in unsafe} == {"slip.zip", "links.tar"}
    assert len(unsafe) == 4
    assert {row["state"] for row in unsafe.values()} == {"quarantined"}
    root = Path(str(curated.location))
    assert not list(root.parent.rglob("evil.png"))


def test_23_links_that_lead_round_are_walked_once(rows: dict[str, dict[str, Any]]) -> None:
    assert [source for source in rows if source.endswith("in.png")] == ["loop/in.png"]
    assert rows["loop/gone.png"]["reason"] == "unreadable"
    assert "loop/pipe.png" not in rows


def test_24_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    place = tmp_path / "raw"
    place.mkdir()
    (place / "a.png").write_bytes(PNG)
    unit = next(each for each in discover([place]) if isinstance(each, SourceUnit))
    occurrence = next(iter(read_unit(unit)))
    (place / "a.png").write_bytes(PNG + b"more")
    (_, again), *_ = reread([(occurrence.source, occurrence.locator)])  # type: ignore[union-attr]  # one that was read has a locator
    assert getattr(again, "reason", None) == "changed_while_read"


def test_26_a_class_of_one_image_is_kept_and_split(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["classes/dog/0.png"]["label"] == "dog"
    assert rows["classes/dog/0.png"]["split"] in {"train", "validation", "test"}


def test_27_labels_are_reconciled_with_images(rows: dict[str, dict[str, Any]], curated: Dataset) -> None:
    assert rows["listed/0.png"]["label"] == "naïve"
    assert rows["listed/1.png"]["label"] == "old"
    assert rows["listed/2.png"]["state"] == "kept"
    assert rows["listed/2.png"]["label"] is None
    assert curated.scan("catalog").filter(pl.col("state") == "kept").collect().height == len(curated)


def test_every_hazard_has_a_row() -> None:
    by_table = {hazard.number for hazard in HAZARDS}
    own_tests = {int(part) for name in globals() if name.startswith("test_2") for part in name.split("_") if part.isdigit()}
    assert by_table | own_tests == set(range(1, 29))
