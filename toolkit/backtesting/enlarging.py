"""A dataset many times as large, for reading alone: the row groups of one, written again and again; no image is decoded."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from toolkit.dataset.commits import BatchCommit
from toolkit.dataset.reading import open_dataset
from toolkit.dataset.shards import iter_row_groups, write_shard
from toolkit.dataset.tables import DatasetStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from toolkit.dataset.reading import Dataset
    from toolkit.dataset.shards import ShardFacts

__all__ = ["enlarged", "group_bytes"]

_SHARD_BYTES: Final = 256 * 2**20
"""As large as a curation packs them, unless its recipe says otherwise."""


def group_bytes(dataset: Dataset) -> float:
    """Return the mean image bytes of a row group."""
    count = sum(1 for path in dataset.shard_paths() for _ in iter_row_groups(path, ["size_bytes"]))
    return dataset.state.image_bytes / max(1, count)


def enlarged(dataset: Dataset, place: Path, row_group_count: int, piece_count: int = 1) -> Dataset:
    """Write a dataset of so many row groups, taken in turn from another, and return it opened.

    Parameters
    ----------
    dataset : Dataset
        Whose row groups are taken.
    place : Path
        Folder of the new one.
    row_group_count : int
        Row groups of the new one.
    piece_count : int
        Row groups that each of the dataset's is cut into first.
    """
    store = DatasetStore(place)
    store.staging("enlarged")
    store.images_path.mkdir(parents=True, exist_ok=True)
    left = itertools.islice(_pieces(dataset, piece_count), row_group_count)
    per_shard = max(1, int(_SHARD_BYTES * piece_count / group_bytes(dataset)))
    shards: list[ShardFacts] = []
    while taken := list(itertools.islice(left, per_shard)):  # views of mapped files, not copies
        shards.append(write_shard(store.images_path / f"enlarged-{len(shards):05d}.parquet", taken))
    store.commit(BatchCommit(batch="enlarged", shards=shards))
    return open_dataset(place)


def _pieces(dataset: Dataset, piece_count: int) -> Iterator[pa.Table]:
    while True:
        for path in dataset.shard_paths():
            for group in iter_row_groups(path):
                rows = max(1, group.num_rows // piece_count)
                yield from (group.slice(first, rows) for first in range(0, group.num_rows, rows))
