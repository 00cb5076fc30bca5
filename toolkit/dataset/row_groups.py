"""The row groups of a dataset as a loader sees them: how many rows of each take part, and which."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.object_paths import readable
from toolkit.dataset.schema import SPLITS
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.dataset.reading import Dataset

__all__ = ["RowGroups", "participating_groups"]

_THREADS: Final = 8
_FOOTERS_HELD: Final = 64


class RowGroups:
    """Row groups that take part, by number.

    Parameters
    ----------
    paths : list of Path
        The shards.
    places : numpy.ndarray
        Shape (groups, 2): number of the shard, number of the row group in it.
    counts : numpy.ndarray
        Rows of each row group that take part.
    chosen : dict of int to numpy.ndarray
        Which rows, for groups of which only some take part.
    """

    def __init__(
        self, paths: list[Path], places: NDArray[np.int64], counts: NDArray[np.int64], chosen: dict[int, NDArray[np.int64]]
    ) -> None:
        self.counts = counts
        self._paths = paths
        self._places = places
        self._chosen = chosen
        self._footer = lru_cache(_FOOTERS_HELD)(lambda path: pq.read_metadata(readable(path)))

    def place(self, number: int) -> tuple[Path, pq.FileMetaData, int]:
        """Return shard, footer and number within the shard of a row group."""
        shard, group = self._places[number].tolist()
        path = self._paths[shard]
        try:
            return path, self._footer(path), group
        except (OSError, pa.ArrowException) as fault:
            raise _unreadable(path, fault) from fault

    def rows(self, number: int) -> NDArray[np.int64]:
        """Return the rows of a row group that take part, ascending."""
        found = self._chosen.get(number)
        return np.arange(self.counts[number]) if found is None else found


def participating_groups(dataset: Dataset, split: str | None = None) -> RowGroups:
    """Return the row groups of a dataset that hold images of a split, in the order of shards.

    A shard that curation wrote holds one split and is named after it, so that no file is opened for those of other splits.

    Raises
    ------
    DatasetError
        If a shard cannot be read.
    """
    others = tuple(f"{name}-" for name in SPLITS if name != split)
    paths = [path for path in dataset.shard_paths() if split is None or not path.name.startswith(others)]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda path: _group_rows(path, split), paths))
    places: list[tuple[int, int]] = []
    counts: list[int] = []
    chosen: dict[int, NDArray[np.int64]] = {}
    for shard, groups in enumerate(found):
        for group, rows in enumerate(groups):
            size = rows if isinstance(rows, int) else len(rows)
            if not size:
                continue
            if not isinstance(rows, int):
                chosen[len(counts)] = rows
            places.append((shard, group))
            counts.append(size)
    return RowGroups(paths, np.array(places, dtype=np.int64).reshape(-1, 2), np.array(counts, dtype=np.int64), chosen)


def _group_rows(path: Path, split: str | None) -> list[int | NDArray[np.int64]]:
    """Return for each row group of a shard how many rows take part, or which."""
    try:
        metadata = pq.read_metadata(readable(path))
        if split is None or path.name.startswith(f"{split}-"):
            return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        with pq.ParquetFile(readable(path), metadata=metadata) as shard:
            columns = [shard.read_row_group(group, columns=["split"])["split"] for group in range(metadata.num_row_groups)]
    except (OSError, pa.ArrowException) as fault:
        raise _unreadable(path, fault) from fault
    return [np.flatnonzero(np.array(column.to_pylist(), dtype=object) == split) for column in columns]


def _unreadable(path: Path, fault: Exception) -> DatasetError:
    return DatasetError(f"shard '{path}' cannot be read: {fault}; run tonnage verify")
