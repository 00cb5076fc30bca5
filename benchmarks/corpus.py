"""A corpus of photographs like those people have: distinct crops, mirrorings and exposures of the sample's photographs.

JPEG of about 0.29 megapixels and 106 kB each, lognormal, with the grain of a camera; one image in eleven is PNG, WebP, TIFF
or BMP. Each image follows from the seed and its own number, so a larger corpus holds a smaller one and equal seeds give
equal pixels.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from PIL import Image

from toolkit.engine import core_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

PHOTOS = Path(__file__).resolve().parents[1] / "sample_data" / "photos"
OTHER_SUFFIXES = (".png", ".webp", ".tif", ".bmp")
OTHER_EVERY = 11
"""One image in so many is none of JPEG."""

_MEAN_PIXELS = 290_000
_SPREAD = 0.33
_GRAIN_SIDE_PX = 2_048


def make_corpus(folder: Path, image_count: int, seed: int = 7, *, first: int = 0, others: bool = True) -> int:
    """Write images ``first`` to ``image_count`` into a folder, in folders of a thousand; return their bytes.

    Parameters
    ----------
    folder : Path
        Made if need be.
    image_count : int
        Number of the last image, plus one.
    seed : int
        Of all that is drawn.
    first : int
        Number of the first image.
    others : bool
        Whether some are no JPEG.
    """
    for thousand in range(first // 1_000, (image_count + 999) // 1_000):
        (folder / f"{thousand:04d}").mkdir(parents=True, exist_ok=True)

    def write(number: int) -> int:
        suffix = OTHER_SUFFIXES[number // OTHER_EVERY % 4] if others and number % OTHER_EVERY == OTHER_EVERY - 1 else ".jpg"
        path = folder / f"{number // 1_000:04d}" / f"{number:06d}{suffix}"
        if not path.exists():
            _write(path, photograph(number, seed), quality=86 + number * 7 % 11)
        return path.stat().st_size

    with ThreadPoolExecutor(core_count()) as pool:
        return sum(pool.map(write, range(first, image_count)))


def photograph(number: int, seed: int = 7) -> NDArray[np.uint8]:
    """Return the pixels of an image, shape (height, width, 3)."""
    chance = np.random.default_rng([seed, number])
    base = _bases()[number % len(_bases())]
    share = chance.uniform(0.6, 0.98)
    width, height = int(base.width * share), int(base.height * share)
    left, top = int(chance.integers(0, base.width - width + 1)), int(chance.integers(0, base.height - height + 1))
    scale = (_MEAN_PIXELS * float(np.exp(chance.normal(-(_SPREAD**2) / 2, _SPREAD))) / (width * height)) ** 0.5
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    crop = base.resize(size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    pixels = np.asarray(crop, dtype=np.int16)
    if chance.random() < 0.5:
        pixels = pixels[:, ::-1]
    rows, columns = pixels.shape[:2]
    y, x = chance.integers(0, _GRAIN_SIDE_PX - rows), chance.integers(0, _GRAIN_SIDE_PX - columns)
    light = np.int16(round(256 * chance.uniform(0.75, 1.15)))
    pixels = (pixels * light >> 8) + _grain()[y : y + rows, x : x + columns, None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _write(path: Path, pixels: NDArray[np.uint8], quality: int) -> None:
    temporary = path.with_name(f".{path.name}")
    if path.suffix == ".jpg":
        temporary.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality, colorsubsampling="420"))
    else:
        kind = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".bmp": "BMP"}[path.suffix]
        options = {"PNG": {"compress_level": 3}, "WEBP": {"quality": quality, "method": 0}, "TIFF": {"compression": "tiff_lzw"}}
        Image.fromarray(pixels).save(temporary, kind, **options.get(kind, {}))
    temporary.replace(path)


@functools.cache
def _bases() -> tuple[Image.Image, ...]:
    return tuple(Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg")))


@functools.cache
def _grain() -> NDArray[np.int16]:
    chance = np.random.default_rng(0)
    return chance.normal(0, 6.0, (_GRAIN_SIDE_PX, _GRAIN_SIDE_PX)).astype(np.int16)
