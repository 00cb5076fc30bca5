import polars as pl
import pytest
import yaml

import toolkit
from toolkit.curation.card import dataset_card, split_deviation
from toolkit.curation.recipe import Recipe
from toolkit.facts import DatasetProfile, Quantiles, VersionFacts

SKETCH = Quantiles(count=3, mean=100.0, values=(100.0,) * 11)
COUNTS = {"label": pl.String, "split": pl.String, "image_count": pl.Int64}


def profile(**facts):
    values = {
        "name": "birds",
        "location": "birds",
        "version": 1,
        "source_count": 6,
        "source_bytes": 600,
        "image_count": 3,
        "image_bytes": 300,
        "shard_count": 2,
        "shard_bytes": 400,
        "pixel_count": 900,
        "image_size_bytes": SKETCH,
        "image_pixels": SKETCH,
        "states": {"kept": 3, "quarantined": 2, "duplicate": 1},
        "reasons": {"truncated": 2, "exact_duplicate": 1},
        "other_files": {"annotation": 1},
        "formats": {"jpeg": 2, "png": 1},
        "modes": {"RGB": 3},
        "labels": {"<b>|x\n": 2, "tern": 1},
        "label_count": 2,
        "splits": {"train": 2, "test": 1},
        "near_duplicate_group_count": 1,
        "near_duplicate_image_count": 2,
        "versions": (
            VersionFacts(
                version=0,
                committed_at="2026-01-01T00:00:00+00:00",
                kind="batch",
                batch="ab" * 16,
                image_count=3,
                size_bytes=300,
                shard_count=2,
            ),
        ),
        "curation": {},
    }
    return DatasetProfile(**(values | facts))


SHARDS = ["test-ab-00000.parquet", "train-ab-00000.parquet", "train-cd-00000.parquet"]


def test_the_card_says_what_came_in_and_how_to_read_it():
    card = dataset_card(
        profile(), Recipe(), pl.DataFrame(schema=COUNTS), shards=SHARDS, notes=["2 groups met late."], licences=["CC0"]
    )
    matter = yaml.safe_load(card.split("---\n")[1])
    assert matter["configs"][0]["data_files"] == [
        {"split": "test", "path": ["images/test-ab-00000.parquet"]},
        {"split": "train", "path": ["images/train-ab-00000.parquet", "images/train-cd-00000.parquet"]},
    ]
    assert f"Made by Tonnage {toolkit.__version__}." in card
    for words in (
        "| **found** | **6** |",
        "| truncated | 2 |",
        "| jpeg | 2 |",
        "- 2 groups met late.",
        "min_side_px: 16",
        "scan_delta",
    ):
        assert words in card
    assert "kept 50 %" in card or "50 % were kept" in card


def test_names_from_outside_cannot_write_markup_into_the_card():
    card = dataset_card(profile(), Recipe(), pl.DataFrame(schema=COUNTS), shards=SHARDS)
    assert "<b>" not in card
    assert "| &lt;b&gt;\\|x | 2 |" in card


def test_the_label_furthest_from_its_share_is_named():
    counts = pl.DataFrame(
        [("a", "train", 8), ("a", "test", 2), ("b", "train", 10), ("c", "test", 9)], schema=COUNTS, orient="row"
    )
    assert split_deviation(counts, {"train": 0.8, "test": 0.2}) == ("b", "test", 0.0, pytest.approx(0.2))
    assert split_deviation(counts.filter(pl.col("label") == "c"), {"train": 0.8, "test": 0.2}) is None
