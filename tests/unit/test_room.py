"""Room on the disk, held against what will be written before it is: shards as they are and re-encoded, and what is laid down."""

import shutil
import tarfile
from types import SimpleNamespace

import polars as pl
import pytest
from conftest import SAMPLE
from distributed import Client, LocalCluster

import toolkit
from toolkit.curation.recipe import Resize
from toolkit.curation.room import shard_bytes, staged_bytes
from toolkit.curation.sources import Item, SourceUnit
from toolkit.errors import DatasetError

HATS = SAMPLE / "raw" / "by_class" / "hat"


def test_a_resized_image_takes_room_by_its_own_pixels_and_is_never_enlarged():
    kept = pl.DataFrame({"size_bytes": [10**7, 900], "width_px": [4_000, 40], "height_px": [3_000, 30]})
    assert shard_bytes(kept, 0, Resize(longest_px=400)) == 400 * 300 // 2 + 40 * 30 // 2
    assert shard_bytes(kept, 0, Resize(shortest_px=300)) == 400 * 300 // 2 + 40 * 30 // 2
    assert shard_bytes(kept.clear(), 3, None) == 3 * 2_048


def test_what_is_fetched_or_cannot_be_sought_is_laid_down(tmp_path):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(bytes(77))
    items = tuple(Item(source=name, place=name, size_bytes=10) for name in "ab")
    assert staged_bytes(SourceUnit(kind="remote", path="", source="", items=items)) == 20
    assert staged_bytes(SourceUnit(kind="tar_stream", path=str(archive), source="a")) == 77
    assert staged_bytes(SourceUnit(kind="files", path="", source="", items=items)) == 0


def test_too_little_room_is_one_sentence_before_members_are_laid_down_and_before_shards_are_written(tmp_path, monkeypatch):
    archive = tmp_path / "hats.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(HATS, "hats")
    free = archive.stat().st_size - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        with pytest.raises(
            DatasetError, match=r"free, what is laid down of 'hats\.tar\.gz' needs .*; nothing was committed"
        ) as told:
            toolkit.curate(archive, tmp_path / "dataset", scheduler=client)
        assert "\n" not in str(told.value)
        assert not list((tmp_path / "dataset").rglob("members"))
        with pytest.raises(DatasetError, match=r"free, this batch needs .*; nothing was committed"):
            toolkit.curate(HATS, tmp_path / "other", scheduler=client)
        recipe = {"keep": "resized", "resize": {"longest_px": 400}}
        with pytest.raises(DatasetError, match=r"free, this batch needs .*; nothing was committed"):
            toolkit.curate(HATS, tmp_path / "resized", recipe, scheduler=client)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
        assert len(toolkit.curate(archive, tmp_path / "dataset", scheduler=client)) == 33
