"""An image that comes late between two settled splits: told by name, and left out of train if the recipe says so."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import polars as pl
import pytest
from conftest import SAMPLE, tonnage
from PIL import Image

import toolkit
from toolkit.curation.splits import assign_splits
from toolkit.dataset.verify import verify

PHOTO = min((SAMPLE / "photos").glob("*.jpg"))
SHARES = {"train": 0.5, "test": 0.5}


def encoded(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def bridged(tmp_path_factory):
    """A photo in train and a crop of it in test, told apart at distance 0; then a copy of the photo, at distance 8."""
    place = tmp_path_factory.mktemp("bridged")
    with Image.open(PHOTO) as opened:
        photo = opened.convert("RGB")
    wide, high = photo.size
    crop = photo.crop((round(wide * 0.02), round(high * 0.02), wide, high))
    images = {"a.jpg": encoded(photo, 95), "b.jpg": encoded(crop, 95)}
    ids = pl.Series([hashlib.sha256(data).hexdigest()[:32] for data in images.values()])
    seed = next(seed for seed in range(100) if assign_splits(ids, SHARES, seed).to_list() == ["train", "test"])
    (place / "first").mkdir()
    (place / "second").mkdir()
    for name, data in images.items():
        (place / "first" / name).write_bytes(data)
    (place / "second" / "c.jpg").write_bytes(encoded(photo, 60))
    rules = {"splits": SHARES, "seed": seed}
    toolkit.curate(place / "first", place / "kept", rules | {"near_duplicates": {"distance": 0}}, workers=1)
    kept = toolkit.curate(place / "second", place / "kept", rules | {"near_duplicates": {"distance": 8}}, workers=1)
    return Path(place / "kept"), kept, rules


def test_a_late_bridge_is_named_and_can_be_left_out_of_train_afterwards(bridged):
    place, kept, rules = bridged
    bridge = kept.findings("bridges").row(0, named=True)
    assert bridge["source"].endswith("c.jpg")
    assert (bridge["split"], bridge["other_split"], bridge["is_kept"]) == ("train", "test", True)
    assert kept.profile.curation["late_bridge_count"] == 1
    assert "in train, near to group" in tonnage("findings", place, "bridges").out
    assert "\n1 images lie near to one of another split (`tonnage findings" in (place / "README.md").read_text(encoding="utf-8")
    toolkit.compact(place)
    assert "\n1 images lie near to one of another split (`tonnage findings" in (place / "README.md").read_text(encoding="utf-8")
    assert verify(place).problems == ()
    rules = rules | {"near_duplicates": {"distance": 8}, "late_bridges": "exclude_from_train"}
    left = toolkit.redecide(place, rules, workers=1)
    states = dict(left.scan("catalog").select(pl.col("source").str.slice(-5), "reason").collect().iter_rows())
    assert states == {"a.jpg": "late_bridge", "b.jpg": None, "c.jpg": "late_bridge"}, "decided anew, none of a group is late"
    assert toolkit.redecide(place, rules, workers=1).version == left.version
    assert verify(place).problems == ()
