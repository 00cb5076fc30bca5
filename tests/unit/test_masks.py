"""Masks: told by where they lie, fitted as Pillow turns the pixels of their image."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from toolkit.curation.masks import Frame, fitted_mask
from toolkit.curation.sources.masks import FolderMasks, ImageStems, is_mask, mask_stems

CLASSES = np.zeros((30, 40), dtype=np.uint8)
CLASSES[2:9, 5:30] = 1
CLASSES[20:28, 1:7] = 9


def encoded(pixels, kind="png", *, orientation=None, **options):
    file, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        options["exif"] = exif
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def frame(size, orientation=1, stored=None):
    return Frame(width_px=size[0], height_px=size[1], orientation=orientation, stored_size=stored)


def pixels(mask):
    assert isinstance(mask, bytes), mask
    return np.asarray(Image.open(io.BytesIO(mask), formats=["PNG"]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_turns_as_its_image_does(orientation):
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(CLASSES, orientation=orientation)), formats=["PNG"]))
    assert np.array_equal(pixels(fitted_mask(encoded(CLASSES), frame(shown.size, orientation))), np.asarray(shown))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_the_displays_size_was_drawn_on_the_turned_image(orientation):
    payload = encoded(CLASSES)
    assert fitted_mask(payload, frame((40, 30), orientation)) == payload


def test_a_mask_that_needs_no_change_keeps_its_bytes_and_others_become_png():
    payload = encoded(CLASSES)
    assert fitted_mask(payload, frame((40, 30), stored=(40, 30))) == payload
    for kind in ("gif", "bmp", "tiff"):
        payload = encoded(CLASSES, kind)
        stored = np.asarray(Image.open(io.BytesIO(payload), formats=[kind.upper()]))  # a GIF numbers its colours anew
        assert np.array_equal(pixels(fitted_mask(payload, frame((40, 30)))), stored)
    assert np.array_equal(pixels(fitted_mask(encoded(CLASSES, "webp", lossless=True), frame((40, 30))))[..., 0], CLASSES)


def test_palettes_and_sixteen_bits_survive_a_turn():
    palette = Image.fromarray(CLASSES, "L").convert("P")
    palette.putpalette([value % 256 for value in range(768)])
    turned = fitted_mask(encoded(palette), frame((40, 30), 3))
    assert Image.open(io.BytesIO(turned), formats=["PNG"]).mode == "P"
    assert np.array_equal(pixels(turned), np.asarray(palette)[::-1, ::-1])
    deep = CLASSES.astype(np.uint16) * 257
    assert np.array_equal(pixels(fitted_mask(encoded(deep), frame((40, 30), 2))), deep[:, ::-1])


@pytest.mark.parametrize("stored", [(17, 13), (20, 15), (90, 70)])
def test_a_mask_that_is_scaled_with_its_image_names_no_class_that_was_not_drawn(stored):
    scaled = pixels(fitted_mask(encoded(CLASSES), frame((40, 30), stored=stored)))
    assert scaled.shape == stored[::-1]
    assert set(np.unique(scaled)) == {0, 1, 9}
    shares = [np.mean(scaled == drawn) / np.mean(drawn == CLASSES) for drawn in (0, 1, 9)]
    assert shares == pytest.approx([1, 1, 1], rel=0.25)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (encoded(CLASSES[:20]), "mask_size"),
        (encoded(CLASSES)[:60], "mask_unreadable"),
        (b"", "mask_unreadable"),
        (b"<svg/>", "mask_unreadable"),
        (encoded(np.zeros((30, 40), np.uint8), "jpeg"), "mask_unreadable"),
    ],
)
def test_what_does_not_fit_says_why(payload, problem):
    assert fitted_mask(payload, frame((40, 30))) == problem


def test_a_mask_is_one_only_where_its_image_is(tmp_path):
    images = ImageStems(["images/a.jpg", "b.jpg", "mask/1.png", "no_mask/1.png", "notes/c_mask.txt", "x/d.jpg"])
    told = {
        place: is_mask(place, images.__contains__)
        for place in ("masks/a.png", "masks/b.png", "b_seg.png", "c_mask.png", "mask/1.png")
    }
    assert told == {"masks/a.png": True, "masks/b.png": True, "b_seg.png": True, "c_mask.png": False, "mask/1.png": False}
    for name in ("train/images/a.jpg", "train/masks/a_mask.png", "train/masks/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    masks = FolderMasks(tmp_path)
    assert [masks(f"train/masks/{name}") for name in ("a_mask.png", "a.png", "b.png")] == [True, True, False]


def test_the_mask_of_a_named_image_is_looked_for_by_both_names():
    assert mask_stems("masks/x_mask.png")[0] == "images/x"
    assert "images/x_mask" in mask_stems("masks/x_mask.png")
    assert mask_stems("s.tar!masks/x.png")[0] == "s.tar!images/x"
