"""Scores follow what they are named after."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from toolkit.curation.colour import colorfulness
from toolkit.curation.examine import Limits, examine
from toolkit.curation.quality import SCORED_PX, scored_luma, scores
from toolkit.dataset.schema import SCORE_FIELDS

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "sample_data" / "photos").glob("*.jpg"))


def luma(index: int = 0, blur_px: float = 0) -> np.ndarray:
    with Image.open(PHOTOS[index]) as image:
        gray = image.convert("L")
    return np.asarray(gray.filter(ImageFilter.GaussianBlur(blur_px)) if blur_px else gray)


def scored(pixels: np.ndarray) -> dict[str, float]:
    return scores(scored_luma(pixels), pixels.shape[1], pixels.shape[0])


def test_every_score_of_the_table_is_there() -> None:
    whole = examine(PHOTOS[0].read_bytes(), name="a.jpg").facts
    assert {field.name for field in SCORE_FIELDS} <= set(whole)
    assert set(scored(luma())) == {field.name for field in SCORE_FIELDS} - {"colorfulness_score"}  # which is of the colours


def test_scores_agree_with_their_definition() -> None:
    pixels = scored_luma(luma())
    found = scores(pixels, 300, 400)
    shares = np.bincount(pixels.ravel(), minlength=256) / pixels.size
    present = shares[shares > 0]
    gray = pixels.astype(float)
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    assert found["brightness_share"] == pytest.approx(gray.mean() / 255)
    assert found["contrast_share"] == pytest.approx(gray.std() / 255)
    assert found["entropy_bits"] == pytest.approx(-(present * np.log2(present)).sum())
    assert found["sharpness_score"] == pytest.approx(laplacian.var())
    assert found["dark_share"] == pytest.approx(np.percentile(pixels, 99) / 255, abs=0.01)
    assert found["light_share"] == pytest.approx(np.percentile(pixels, 5) / 255, abs=0.01)
    assert found["aspect_share"] == 0.75


def test_blur_lowers_sharpness_every_time() -> None:
    for index in range(0, len(PHOTOS), 6):
        steps = [scored(luma(index, blur_px))["sharpness_score"] for blur_px in (0, 4, 8, 16)]
        assert steps == sorted(steps, reverse=True), PHOTOS[index].name


def test_black_white_and_noise_are_told_apart() -> None:
    black, white = scored(np.zeros((100, 100), np.uint8)), scored(np.full((100, 100), 255, np.uint8))
    noise = scored(np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8))
    assert (black["brightness_share"], black["dark_share"], black["entropy_bits"], black["contrast_share"]) == (0, 0, 0, 0)
    assert (white["brightness_share"], white["light_share"], white["entropy_bits"]) == (1, 1, 0)
    assert noise["entropy_bits"] > 7.5
    assert noise["sharpness_score"] > 10_000


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (3, 3), (5000, 7)])
def test_odd_shapes_have_finite_scores(shape: tuple[int, int]) -> None:
    found = scored(np.full(shape, 77, np.uint8))
    assert all(value is None or np.isfinite(value) for value in found.values())


def test_large_images_are_scored_at_one_scale_and_small_ones_as_they_are() -> None:
    assert min(scored_luma(np.zeros((900, 700), np.uint8)).shape) == SCORED_PX
    assert scored_luma(np.zeros((40, 30), np.uint8)).shape == (40, 30)


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_colour_is_told_from_gray_stored_as_colour(kind: str) -> None:
    with Image.open(PHOTOS[0]) as image:
        colour = np.asarray(image.convert("RGB"))
    gray = np.repeat(luma()[:, :, None], 3, axis=2)
    asked = Limits(colour_scores=True)
    scored_colour, scored_gray = (
        examine(encoded(pixels, kind), name="a", limits=asked).facts["colorfulness_score"] for pixels in (colour, gray)
    )
    assert scored_gray < 1
    assert scored_colour > 10
    assert examine(encoded(colour, kind), name="a").facts["colorfulness_score"] is None


def test_colorfulness_is_that_of_its_definition() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    red, green, blue = (pixels[..., band].astype(float) for band in range(3))
    one, other = red - green, 0.5 * (red + green) - blue
    expected = np.sqrt(one.var() + other.var()) + 0.3 * np.sqrt(one.mean() ** 2 + other.mean() ** 2)
    assert colorfulness(pixels) == pytest.approx(expected)
