"""Rows of tables on their way into shuffled shards: each row group is read a bounded number of times."""

import io
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster
from PIL import Image

import toolkit
from toolkit.curation import packing
from toolkit.curation.sources.rows import RowGroups

GROUPS = 6


def encoded(seed: int, mode: str = "RGB", kind: str = "PNG") -> bytes:
    shape = (16, 16, 3) if mode == "RGB" else (16, 16)
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def reads(monkeypatch):
    """How often each group of rows was read, by file and number."""
    counted = Counter()
    read = RowGroups.batches

    def counting(self, group, columns):
        counted[group, *columns] += 1
        return read(self, group, columns)

    monkeypatch.setattr(RowGroups, "batches", counting)
    monkeypatch.setattr(packing, "_BLOCK_ROWS", 10)
    return counted


def shards(dataset):
    return {path.name: path.read_bytes() for path in dataset.shard_paths()}


def test_row_groups_are_read_once_for_packing_and_the_shards_are_the_same(tmp_path, client, reads, monkeypatch):
    images = [encoded(seed) for seed in range(GROUPS * 10)]
    source = tmp_path / "table.parquet"
    pq.write_table(pa.table({"image": images}), source, row_group_size=10, compression="snappy")
    dataset = toolkit.curate(source, tmp_path / "dataset", scheduler=client)
    assert len(dataset) == len(images)
    assert len(reads) == GROUPS
    assert set(reads.values()) == {2}  # once to examine, once to pack

    monkeypatch.setattr(packing, "_BLOCK_ROWS", 10**6)
    monkeypatch.setattr("toolkit.curation.stages.MOST_READS", 10**6)
    again = toolkit.curate(source, tmp_path / "again", scheduler=client)
    assert shards(again) == shards(dataset)
    assert not [path for path in (tmp_path / "dataset").rglob("*") if "spool" in path.name]


def test_masks_beside_the_images_of_a_dataset_come_along_with_the_same_reads(tmp_path, client, reads, monkeypatch):
    raw = tmp_path / "raw"
    for folder, mode in (("images", "RGB"), ("masks", "L")):
        (raw / folder).mkdir(parents=True)
        for seed in range(40):
            (raw / folder / f"{seed:02d}.png").write_bytes(encoded(seed, mode))
    first = toolkit.curate(raw, tmp_path / "first", scheduler=client)
    shard_count = len(first.shard_paths())
    assert not reads
    second = toolkit.curate(tmp_path / "first", tmp_path / "second", scheduler=client)
    of_images = [count for (_, *columns), count in reads.items() if columns == ["image"]]
    of_masks = [count for (_, *columns), count in reads.items() if columns == ["mask"]]
    assert (sum(of_images), sum(of_masks)) == (shard_count, shard_count)
    columns = ["image_id", "mask"]
    kept, came = (each.scan("images").select(columns).sort("image_id").collect() for each in (first, second))
    assert kept["mask"].null_count() == 0
    assert came.equals(kept)


def test_twins_in_a_table_are_hashed_with_one_reading_of_their_rows(tmp_path, client, reads, monkeypatch):
    monkeypatch.setattr("toolkit.curation.twins._PER_TASK", 4)
    source = tmp_path / "table.parquet"
    pq.write_table(pa.table({"image": [encoded(seed, kind="JPEG") for seed in range(40)]}), source, row_group_size=20)
    recipe = {"keep": "resized", "resize": {"longest_px": 8}}
    assert len(toolkit.curate(source, tmp_path / "dataset", recipe, scheduler=client)) == 40
    assert set(reads.values()) == {3}  # to examine, to hash, to pack
