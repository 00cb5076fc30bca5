"""Hashes of turned images follow from the hash of the image: against real images, turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.curation.hashing import perceptual_hash
from toolkit.curation.turning import turned_hashes

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "sample_data" / "photos").glob("*.jpg"))
FLIPS = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180)
ROTATIONS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


def hashed(image: Image.Image) -> int:
    return perceptual_hash(np.asarray(image.convert("L"))) & (2**64 - 1)


@pytest.mark.parametrize(("transforms", "turns"), [("flips", FLIPS), ("rotations", ROTATIONS), ("all", tuple(Image.Transpose))])
def test_the_hash_of_a_turned_photo_is_the_turned_hash_of_the_photo(transforms, turns):
    for path in PHOTOS[:12]:
        with Image.open(path) as opened:
            image = opened.convert("L").resize((90, 64))
        found = {int(turned[0]) for turned in turned_hashes(np.array([hashed(image)], dtype=np.uint64), transforms)}
        for turn in turns:
            turned = hashed(image.transpose(turn))
            assert min((turned ^ other).bit_count() for other in found) <= 1, (path.name, turn)


def test_each_set_of_positions_is_closed():
    """Else two images near each other by a third position would depend on which of them is turned."""
    hashes = np.random.default_rng(0).integers(0, 2**63, 100, dtype=np.uint64) << np.uint64(1) >> np.uint64(1)
    for transforms, count in (("none", 1), ("flips", 4), ("rotations", 4), ("all", 8)):
        once = np.stack([hashes, *turned_hashes(hashes, transforms)])
        twice = np.concatenate([np.stack([each, *turned_hashes(each, transforms)]) for each in once])
        assert len(once) == count
        assert [set(column) for column in twice.T.tolist()] == [set(column) for column in once.T.tolist()]
        assert len(set(once[:, 0].tolist())) == count
