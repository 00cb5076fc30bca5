"""Each hazard and format of the sample is what its name says, by decoders and readers that are not ours."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile
from typing import Any

import numpy as np
import pytest
import simplejpeg
from conftest import SAMPLE
from PIL import Image, ImageOps, UnidentifiedImageError

RAW = SAMPLE / "raw"


@pytest.fixture(scope="module")
def images() -> dict[str, dict[str, Any]]:
    return json.loads((SAMPLE / "TRUTH.json").read_text(encoding="utf-8"))["raw"]["images"]


def _opened(payload: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(payload))
    image.load()
    return image


@pytest.mark.parametrize("name", ["truncated.jpg", "truncated.png", "truncated.webp", "truncated.tif", "bad_crc.png"])
def test_broken_files_do_not_load(name: str) -> None:
    with pytest.raises((OSError, SyntaxError)):
        _opened((RAW / "hazards" / name).read_bytes())


@pytest.mark.parametrize("name", ["zero_bytes.jpg", "text.jpg", "error_page.jpg", "drawing.svg", "really_a_pdf.jpg"])
def test_lies_are_no_raster_images(name: str) -> None:
    with pytest.raises(UnidentifiedImageError):
        Image.open(RAW / "hazards" / name)


def test_middle_damage_is_seen_by_a_strict_decoder_alone_and_silent_damage_by_none() -> None:
    damaged = (RAW / "hazards/middle_damaged.jpg").read_bytes()
    _opened(damaged)
    with pytest.raises(ValueError, match="Corrupt JPEG data"):
        simplejpeg.decode_jpeg(damaged, strict=True)
    assert simplejpeg.decode_jpeg((RAW / "hazards/silent_damage.jpg").read_bytes(), strict=True).shape[2] == 3


def test_the_bomb_is_small_on_disk_and_large_in_memory() -> None:
    payload = (RAW / "hazards/bomb.png").read_bytes()
    assert len(payload) < 100_000
    assert int.from_bytes(payload[16:20], "big") * int.from_bytes(payload[20:24], "big") == 400_000_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(RAW / "hazards/bomb.png")


def test_formats_are_what_their_names_say(images: dict[str, dict[str, Any]]) -> None:
    kinds = {image["format"] for image in images.values() if "format" in image}
    assert kinds == {"jpeg", "png", "webp", "tiff", "gif", "bmp", "avif", "jpeg2000"}
    payload = (RAW / "formats/cmyk.jpg").read_bytes()
    assert b"Adobe" in payload
    assert "progressive" in _opened((RAW / "formats/progressive.jpg").read_bytes()).info
    assert "progressive" not in _opened((RAW / "formats/baseline.jpg").read_bytes()).info
    assert "icc_profile" in _opened((RAW / "formats/icc.jpg").read_bytes()).info
    assert all((RAW / f"formats/{name}_16bit.png").read_bytes()[24] == 16 for name in ("gray", "rgb"))
    assert np.asarray(_opened((RAW / "formats/gray_16bit.tif").read_bytes())).max() > 255
    palette = _opened((RAW / "formats/palette_transparent.png").read_bytes())
    assert (palette.mode, "transparency" in palette.info) == ("P", True)
    frames = {"three_pages.tiff": 3, "animated.gif": 4, "animated.webp": 3}
    assert {name: images[f"formats/{name}"]["frame_count"] for name in frames} == frames
    assert sorted(images[f"exif/orientation_{i}.jpg"]["orientation"] for i in range(1, 9)) == list(range(1, 9))


def test_archives_hold_what_is_unsafe_and_what_clashes() -> None:
    with zipfile.ZipFile(RAW / "archives/photos.zip") as archive:
        names = archive.namelist()
    assert "../../escape.jpg" in names
    assert names.count("photos/twice.jpg") == 2
    assert {"case/Photo.jpg", "case/photo.jpg", "accents/caf\u00e9.jpg", "accents/cafe\u0301.jpg"} <= set(names)
    with tarfile.open(RAW / "archives/photos.tar") as archive:
        members = archive.getmembers()
    assert [member.name for member in members].count("set/twice.jpg") == 2
    assert [member.name for member in members if member.issym()] == ["set/link.jpg"]
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(RAW / "archives/cut_short.zip")


def test_annotations_say_what_the_truth_says(images: dict[str, dict[str, Any]]) -> None:
    rows = list(csv.DictReader(io.StringIO((RAW / "shop/metadata.csv").read_text(encoding="utf-8-sig"))))
    labels = {row["file_name"]: row["label"] for row in rows}
    assert labels.pop("never_delivered.jpg") == "hat"
    told = {key: image for key, image in images.items() if key.startswith("shop/")}
    assert labels == {key.removeprefix("shop/"): image["label"] for key, image in told.items() if "label" in image}
    assert len(told) == len(labels) + 1
    for key, image in images.items():
        if "captions" in image:
            assert [(RAW / key).with_suffix(".txt").read_text(encoding="utf-8").strip()] == image["captions"]


def test_a_box_of_the_truth_frames_the_same_pixels_as_the_annotators_box(images: dict[str, dict[str, Any]]) -> None:
    document = json.loads((RAW / "coco/instances.json").read_text(encoding="utf-8"))
    turned = 0
    for entry in document["images"]:
        key = f"coco/{entry['file_name']}"
        if key not in images:
            assert entry["id"] == 99
            continue
        stored = _opened((RAW / key).read_bytes())
        shown = ImageOps.exif_transpose(stored)
        turned += shown.size != stored.size
        boxes = [a["bbox"] for a in document["annotations"] if a["image_id"] == entry["id"]]
        for box, told in zip(boxes, images[key]["boxes"], strict=True):
            as_stored = stored.crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))
            if shown.size != stored.size:
                as_stored = as_stored.transpose(Image.Transpose.ROTATE_270)
            x, y, width, height = (told[name] for name in ("x_px", "y_px", "width_px", "height_px"))
            assert np.array_equal(np.asarray(as_stored), np.asarray(shown.crop((x, y, x + width, y + height)))), key
    assert turned == 1
