"""Other thresholds over images that keep their splits: look-alikes that come to lie in several splits are told, not passed over."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from dataset_rows import image_rows

import toolkit
from toolkit.curation.recipe import Recipe
from toolkit.dataset.reading import Dataset
from toolkit.dataset.schema import CATALOG_SCHEMA, IMAGES_SCHEMA
from toolkit.dataset.shards import write_shard
from toolkit.dataset.tables import BatchCommit, DatasetStore
from toolkit.dataset.verify import verify

SAME, NEAR = {"near_duplicates": {"distance": 0}}, {"near_duplicates": {"distance": 8}}
HASHES = {"a": 0, "b": 0b111111, "c": -1, "d": ~0b111, "e": 0x0F0F0F0F0F0F0F0F}
"""a and b differ in 6 bits, c and d in 3; e is like none."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Five images, all apart at distance 0: a, c, e in train, b and d in test."""
    store = DatasetStore(tmp_path / "dataset")
    rows = image_rows(range(5)).to_pylist()
    for row, (name, perceptual_hash) in zip(rows, HASHES.items(), strict=True):
        row |= {"source": f"s/{name}.jpg", "perceptual_hash": perceptual_hash, "entropy_bits": 7.0, "batch": "one"}
        row["split"] = "test" if name in "bd" else "train"
    shards = [
        write_shard(
            store.images_path / f"{split}-one.parquet",
            [pa.Table.from_pylist([row for row in rows if row["split"] == split], schema=IMAGES_SCHEMA)],
        )
        for split in ("test", "train")
    ]
    catalog = pa.Table.from_pylist([{"state": "kept"} | row for row in rows], schema=CATALOG_SCHEMA)
    recipe = Recipe.load(SAME).to_dict()
    store.commit(BatchCommit(batch="one", shards=shards, catalog=[catalog], recipe=recipe))
    return tmp_path / "dataset"


def bridges(dataset: Dataset) -> list[tuple[str, str, str, bool]]:
    listed = dataset.findings("bridges").with_columns(pl.col("source").str.slice(2, 1))
    return listed.select("source", "split", "other_split", "is_kept").sort("source").rows()


BOTH_WAYS = [
    ("a", "train", "test", True),
    ("b", "test", "train", True),
    ("c", "train", "test", True),
    ("d", "test", "train", True),
]


def test_look_alikes_of_several_splits_are_listed_counted_on_the_card_and_known_to_verify(place: Path) -> None:
    card = place / "README.md"
    near = toolkit.redecide(place, NEAR)
    assert bridges(near) == BOTH_WAYS
    assert near.profile.curation["late_bridge_count"] == 4
    assert (near.profile.near_duplicate_group_count, near.profile.straddling_group_count) == (2, 2)
    told = (
        "2 groups, 2 of them in several splits.\n4 images lie near to one of another split (`tonnage findings DATASET bridges`)."
    )
    assert told in card.read_text(encoding="utf-8")
    assert verify(place).problems == ()
    assert toolkit.redecide(place, NEAR).version == near.version, "nothing changes, so there is no version"

    apart = toolkit.redecide(place, SAME)
    assert bridges(apart) == []
    assert apart.profile.straddling_group_count == 0
    assert bridges(toolkit.open_dataset(place, near.version)) == BOTH_WAYS
    assert verify(place).problems == ()


def test_verify_names_a_group_in_several_splits_that_no_list_tells_of_and_deciding_again_lists_it(place: Path) -> None:
    near = toolkit.redecide(place, NEAR)
    for path in (place / "_tonnage" / "reports").glob("*-bridges.parquet"):
        path.unlink()
    problems = verify(place).problems
    assert len(problems) == 2
    assert "lies in several splits (test, train), and no list of bridges tells of it" in problems[0]
    again = toolkit.redecide(place, NEAR)
    assert again.version == near.version + 1
    assert bridges(again) == BOTH_WAYS
    assert verify(place).problems == ()


def test_what_looks_like_an_image_of_another_split_is_left_out_of_train_if_the_recipe_says_so(place: Path) -> None:
    rules = NEAR | {"late_bridges": "exclude_from_train"}
    left = toolkit.redecide(place, rules)
    kept = left.scan("images").select(pl.col("source").str.slice(2, 1), "split").sort("source").collect()
    assert kept.rows() == [("b", "test"), ("d", "test"), ("e", "train")]
    assert bridges(left) == [("a", "train", "test", False), ("c", "train", "test", False)]
    assert left.profile.straddling_group_count == 0
    assert verify(place).problems == ()
    assert toolkit.redecide(place, rules).version == left.version
    back = toolkit.redecide(place, NEAR)
    assert len(back) == 5
    assert bridges(back) == BOTH_WAYS
