"""A corpus of photographs like those people have: distinct crops and exposures of the sample's photographs, about 100 kB each."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

PHOTOS = Path(__file__).resolve().parents[1] / "sample_data" / "photos"


def make_corpus(folder: Path, image_count: int, seed: int = 7) -> int:
    """Write JPEG photographs of about 0.3 megapixels into a folder; return their bytes."""
    chance = random.Random(seed)
    bases = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg"))]
    folder.mkdir(parents=True, exist_ok=True)
    size_bytes = 0
    for number in range(image_count):
        base = bases[number % len(bases)]
        share = chance.uniform(0.6, 0.98)
        width, height = int(base.width * share), int(base.height * share)
        left, top = chance.randint(0, base.width - width), chance.randint(0, base.height - height)
        image = base.crop((left, top, left + width, top + height)).resize((480, 640), Image.Resampling.BICUBIC)
        if chance.random() < 0.5:
            image = ImageOps.mirror(image)
        path = folder / f"{number:06d}.jpg"
        ImageEnhance.Brightness(image).enhance(chance.uniform(0.7, 1.2)).save(path, quality=92)
        size_bytes += path.stat().st_size
    return size_bytes
