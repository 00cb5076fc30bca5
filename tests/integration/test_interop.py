"""The dataset is read, as it is, by the tools that people have: no export, no code of ours."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset
import pytest
from dataset_rows import add_batch
from deltalake import DeltaTable

import toolkit
from toolkit.dataset.reading import Dataset


@pytest.fixture(scope="module")
def expected(sample_dataset: Path) -> pl.DataFrame:
    return toolkit.open_dataset(sample_dataset).scan("images").select("image_id", "label", "width_px").sort("image_id").collect()


def test_polars_scans_it_as_delta(sample_dataset: Path, expected: pl.DataFrame) -> None:
    read = pl.scan_delta(str(sample_dataset / "images")).select("image_id", "label", "width_px").sort("image_id").collect()
    assert read.equals(expected)


def test_duckdb_reads_the_shards(sample_dataset: Path, expected: pl.DataFrame) -> None:
    query = f"select image_id, label, width_px from read_parquet('{sample_dataset}/images/*.parquet') order by image_id"
    with duckdb.connect() as connection:
        rows = connection.execute(query).fetchall()
    assert rows == expected.rows()


def test_pyarrow_reads_the_shards(sample_dataset: Path, expected: pl.DataFrame) -> None:
    table = pyarrow.dataset.dataset(sample_dataset / "images", format="parquet", exclude_invalid_files=True).to_table(
        columns=["image_id", "label", "width_px"]
    )
    read = pl.from_arrow(table)
    assert isinstance(read, pl.DataFrame)
    assert read.sort("image_id").equals(expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_hugging_face_datasets_gives_decoded_images(
    sample_dataset: Path, expected: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    import datasets

    files = sorted(str(path) for path in (sample_dataset / "images").glob("*.parquet"))
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(loaded) == expected.height
    assert sorted(loaded["image_id"]) == expected["image_id"].to_list()
    assert isinstance(loaded.features["image"], datasets.Image)
    row = loaded[0]
    stored_turned = row["orientation"] >= 5
    assert sorted(row["image"].size) == sorted((row["width_px"], row["height_px"])), stored_turned


@pytest.fixture(params=["remove", "compact", "both"])
def revised(tmp_path: Path, request: pytest.FixtureRequest) -> Dataset:
    """A dataset of which some shards on disk are of earlier versions only."""
    place = tmp_path / "dataset"
    for name, numbers in (("one", range(6)), ("two", range(6, 10))):
        add_batch(place, name, numbers, prefix="train")
    add_batch(place, "three", range(10, 13), split="test", prefix="test")
    if request.param != "compact":
        toolkit.remove(place, "source IN ('s/2.jpg', 's/11.jpg')")
    if request.param != "remove":
        toolkit.compact(place)
    dataset = toolkit.open_dataset(place)
    assert len(list((place / "images").glob("*.parquet"))) > len(dataset.shard_paths())
    return dataset


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_card_names_to_hugging_face_the_images_of_the_version_and_no_others(
    revised: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    import datasets

    loaded = datasets.load_dataset(str(revised.location.path), cache_dir=str(tmp_path / "cache"))
    found = {split: sorted(rows["source"]) for split, rows in loaded.items()}
    held = revised.scan("images").group_by("split").agg(pl.col("source").sort()).collect()
    assert found == dict(held.iter_rows())


def test_readers_of_delta_see_the_images_of_the_version_and_no_others(revised: Dataset) -> None:
    held = revised.scan("images").select("source").collect()["source"].sort().to_list()
    images = str(revised.store.images_path)
    assert pl.scan_delta(images).select("source").collect()["source"].sort().to_list() == held
    shards = DeltaTable(images).to_pyarrow_dataset()
    with duckdb.connect() as connection:
        connection.register("images", shards)
        assert [source for (source,) in connection.execute("select source from images order by source").fetchall()] == held
