"""Distinct photographs without end: crops, mirror images and exposures of the base photographs, all far from each other."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from scipy.fft import dctn

PHOTOS = Path(__file__).resolve().parents[1] / "photos"
FAR_BITS = 11
"""In so many bits at least the perceptual hashes of two photographs differ before they are encoded; encoded, in 8 or more."""
NEAR_BITS = 2
"""In so many at most those of two near duplicates differ, as encoded."""


def base_photographs() -> dict[str, list[Image.Image]]:
    """Return the base photographs by class, in the order in which ``SOURCES.csv`` names them."""
    bases: dict[str, list[Image.Image]] = {}
    with (PHOTOS / "SOURCES.csv").open(newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            with Image.open(PHOTOS / line["file"], formats=["JPEG"]) as photo:
                bases.setdefault(line["class"], []).append(photo.convert("RGB"))
    return bases


def perceptual_hash(image: Image.Image) -> np.ndarray:
    """Return 64 bits: the 8 x 8 lowest frequencies of the 32 x 32 luma against their median."""
    luma = np.asarray(ImageOps.exif_transpose(image).convert("L").resize((32, 32), Image.Resampling.BOX), float)
    low = dctn(luma, norm="ortho")[:8, :8].ravel()
    return np.asarray(low > np.median(low))


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return the bytes of an encoded image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 82} if kind == "JPEG" else {}) | options)
    return buffer.getvalue()


def decoded(payload: bytes) -> Image.Image:
    """Return the image in some bytes, loaded."""
    image = Image.open(io.BytesIO(payload))
    image.load()
    return image


class Variants:
    """A seeded source of photographs of which no two look alike."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bases = base_photographs()
        self.classes = tuple(self.bases)
        self.seen: list[np.ndarray] = []
        self.turn = 0

    def next(self, label: str | None = None, longest_px: int = 256) -> Image.Image:
        """Return a photograph that none before was like; of the next class in turn unless one is named."""
        for _ in range(5_000):
            self.turn += 1
            name = label or self.classes[self.turn % len(self.classes)]
            bases = self.bases[name]
            image = self._varied(bases[self.turn // len(self.classes) % len(bases)], longest_px)
            bits = perceptual_hash(image)
            if not self.seen or int((np.stack(self.seen) != bits).sum(axis=1).min()) >= FAR_BITS:
                self.seen.append(bits)
                return image
        raise RuntimeError("no further distinct photograph was found; add base photographs")

    def _varied(self, base: Image.Image, longest_px: int) -> Image.Image:
        width = int(base.width * self.random.uniform(0.35, 0.95))
        height = int(base.height * self.random.uniform(0.35, 0.95))
        left, top = self.random.randint(0, base.width - width), self.random.randint(0, base.height - height)
        image = base.crop((left, top, left + width, top + height))
        if self.random.random() < 0.5:
            image = ImageOps.mirror(image)
        image = ImageEnhance.Brightness(image).enhance(self.random.uniform(0.75, 1.2))
        image = ImageEnhance.Color(image).enhance(self.random.uniform(0.6, 1.4))
        scale = longest_px / max(image.size)
        size = max(96, round(image.width * scale)), max(96, round(image.height * scale))
        return image.resize(size, Image.Resampling.LANCZOS)
