"""A dataset opened for reading at one version."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.extents import group_extents, read_extent
from toolkit.dataset.object_paths import ObjectPath, client_url, readable, storage_options
from toolkit.dataset.shard_files import ShardFile
from toolkit.dataset.tables import SCHEMAS, DatasetStore, StoreState
from toolkit.errors import DatasetError, MissingError, UsageError
from toolkit.locations import Location

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.dataset.extents import GroupExtents
    from toolkit.dataset.loader import Loader
    from toolkit.dataset.torch_images import TorchImages
    from toolkit.facts import DatasetProfile

__all__ = ["Dataset", "open_dataset"]

_SHARDS_HELD: Final = 128
"""Shards kept open for the next ``get``."""
_GROUPS_HELD: Final = 1_024
"""Row groups whose extents are kept for the next ``get``: at most about 50 MB."""


def open_dataset(location: str | Path | Location | Dataset, version: int | None = None) -> Dataset:
    """Return a dataset opened at a version.

    Parameters
    ----------
    location : str, Path, Location or Dataset
        Root of a dataset made by ``toolkit.curate``, here or copied to ``s3://`` or ``gs://``; a Dataset is given back as it is.
    version : int, optional
        Version to open; by default the newest.

    Raises
    ------
    MissingError
        If nothing is at the location.
    UsageError
        If what is there is no dataset, or has no such version.
    DatasetError
        If it cannot be read, or the store that it lies in says nothing for a minute.
    """
    if isinstance(location, Dataset):
        return location if version is None else Dataset(location.store, version)
    store = DatasetStore(Location.of(location), is_read=True)
    try:
        is_there = store.root.exists()
    except OSError as fault:
        raise DatasetError(str(fault)) from None
    if not is_there:
        raise MissingError(f"there is no dataset at '{location}'; make one with: tonnage curate SOURCE... {location}")
    return Dataset(store, version)


class Dataset:
    """A versioned image dataset: ``len(dataset)``, ``dataset.get(i)``, ``dataset.scan("catalog")``, ``dataset.loader(...)``.

    Parameters
    ----------
    store : DatasetStore
        The tables.
    version : int, optional
        Version to read; by default the newest.
    """

    def __init__(self, store: DatasetStore, version: int | None = None) -> None:
        state = store.state(version)
        if state is None:
            raise UsageError(f"'{store.location}' is not a Tonnage dataset; make one with: tonnage curate SOURCE... DATASET")
        self.store = store
        self.state: StoreState = state
        self._files: dict[str, pl.DataFrame] = {}
        self._shard = lru_cache(_SHARDS_HELD)(self._open_shard)
        self._extents = lru_cache(_GROUPS_HELD)(self._read_extents)

    def __reduce__(self) -> tuple[type[Dataset], tuple[DatasetStore, int]]:
        return Dataset, (self.store, self.version)

    @property
    def location(self) -> Location:
        """Root of the dataset."""
        return self.store.location

    @property
    def name(self) -> str:
        """Last part of the location."""
        return self.location.name

    @property
    def version(self) -> int:
        """The version that is open."""
        return self.state.version

    def __len__(self) -> int:
        return self.state.image_count

    def __repr__(self) -> str:
        from toolkit.units import show

        size = show(self.state.image_bytes, "bytes")
        return f"<Dataset {self.name!r} v{self.version}: {len(self):,} images, {size} in {self.state.shard_count:,} shards>"

    def scan(self, table: str) -> pl.LazyFrame:
        """Return a table of this version, lazily: ``images``, ``catalog`` or ``quarantine``.

        A query that does not ask for ``image`` reads no image bytes.

        Raises
        ------
        UsageError
            If there is no such table.
        """
        paths = self.table_paths(table)
        schema = pl.Schema(SCHEMAS[table])  # an empty Arrow table would import pandas
        if not paths:
            return pl.LazyFrame(schema=schema)
        places, options = [client_url(path) for path in paths], storage_options(self.store.root)
        # earlier releases had fewer columns
        return pl.scan_parquet(places, glob=False, schema=schema, missing_columns="insert", storage_options=options)

    def table_paths(self, table: str) -> list[Path]:
        """Return the Parquet files of a table at this version, in the order of their names.

        Raises
        ------
        UsageError
            If there is no such table.
        """
        folder = self.store.table_path(table)
        return [folder / name for name in self._table_files(table)["name"]]

    def _table_files(self, table: str) -> pl.DataFrame:
        """Return name, row_count and size_bytes of a table's files, as the log has them: no file is opened."""
        if table not in SCHEMAS:
            raise UsageError(f"there is no table '{table}'; the tables are images, catalog and quarantine")
        if table not in self._files:
            # by Polars: an Arrow table made of what Delta gives would import pandas
            actions = pl.DataFrame(self.store.table(table, self.state).get_add_actions(flatten=True))
            files = actions.select(
                name=pl.col("path").cast(pl.String),
                row_count=pl.col("num_records").cast(pl.Int64),
                size_bytes=pl.col("size_bytes").cast(pl.Int64),
            )
            self._files[table] = files.sort("name")
        return self._files[table]

    def shard_paths(self) -> list[Path]:
        """Return the shards of this version, in the order of their names."""
        return self.table_paths("images")

    @property
    def shards(self) -> pl.DataFrame:
        """One row per shard: name, row_count, size_bytes."""
        return self._table_files("images")

    @cached_property
    def profile(self) -> DatasetProfile:
        """What the dataset is, in numbers."""
        from toolkit.dataset.profiling import profile_of

        return profile_of(self)

    def versions(self) -> pl.DataFrame:
        """Return one row per version: version, committed_at, kind, batch, image_count, image_bytes, shard_count."""
        columns = ("version", "committed_at", "kind", "batch", "image_count", "image_bytes", "shard_count")
        return pl.DataFrame([{name: getattr(state, name) for name in columns} for state in self.store.states()])

    def get(self, index: int, *, verify: bool = True) -> bytes:
        """Return the encoded bytes of one image.

        Parameters
        ----------
        index : int
            Position over all shards in the order of their names; negative counts from the end.
        verify : bool
            Whether to check the bytes against their sha256.

        Raises
        ------
        IndexError
            If there is no such image.
        DatasetError
            If the bytes are not those that were written.
        """
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"image {index} of a dataset of {len(self)}")
        return self._fetch(*self._place(position), verify=verify)

    @cached_property
    def _shard_ends(self) -> list[int]:
        return list(accumulate(self.shards["row_count"]))

    def _place(self, position: int) -> tuple[int, int, int]:
        """Return shard, row group in it, and row in that."""
        shard_index = bisect_right(self._shard_ends, position)
        row = position - (self._shard_ends[shard_index - 1] if shard_index else 0)
        try:
            ends = self._shard(shard_index).group_ends
            group = bisect_right(ends, row)
            if group == len(ends):
                raise DatasetError(f"shard '{self._name(shard_index)}' has fewer images than it should; run tonnage verify")
        except (OSError, pa.ArrowException) as fault:
            raise self._unreadable(shard_index, fault) from fault
        return shard_index, group, row - (ends[group - 1] if group else 0)

    def _fetch(self, shard_index: int, group: int, row: int, *, verify: bool) -> bytes:
        """Return one image by one read, or by its whole row group where its place cannot be told."""
        try:
            shard = self._shard(shard_index)
            extents = self._extents(shard_index, group)
            digest = extents.sha256[row] if verify else None
            payload = read_extent(shard, extents, row, check_length=digest is None)
            if payload is None:
                payload = _read_slowly(shard.path, group, row)
        except (OSError, IndexError, pa.ArrowException) as fault:
            raise self._unreadable(shard_index, fault) from fault
        if digest is not None and hashlib.sha256(payload).hexdigest() != digest:
            raise DatasetError(
                f"row {row + (shard.group_ends[group - 1] if group else 0)} of shard '{self._name(shard_index)}' is damaged: "
                "its bytes are not those that were written; run tonnage verify"
            )
        return payload

    def _name(self, shard_index: int) -> str:
        return str(self.shards["name"][shard_index])

    def _unreadable(self, shard_index: int, fault: Exception) -> DatasetError:
        path = self.store.images_path / self._name(shard_index)
        return DatasetError(f"shard '{path}' cannot be read: {fault}; run tonnage verify")

    def _open_shard(self, shard_index: int) -> ShardFile:
        return ShardFile(self.store.images_path / self._name(shard_index))

    def _read_extents(self, shard_index: int, group: int) -> GroupExtents:
        return group_extents(self._shard(shard_index), group)

    def loader(self, **options: Any) -> Loader:
        """Return a loader over this dataset; the options are those of ``toolkit.dataset.loader.Loader``."""
        from toolkit.dataset.loader import Loader

        return Loader(self, **options)

    def torch(self, **options: Any) -> TorchImages:
        """Return a dataset for PyTorch's DataLoader; the options are those of ``toolkit.dataset.torch_images.TorchImages``.

        Raises
        ------
        ExtraError
            If PyTorch is not installed.
        """
        from toolkit.dataset.torch_images import TorchImages

        return TorchImages(self, **options)

    def refusals(self) -> pl.DataFrame:
        """Return what was refused and why, without the bytes: source, stage, reason, message, size_bytes, sha256, batch."""
        columns = ("source", "source_member", "stage", "reason", "message", "size_bytes", "sha256", "batch")
        return self.scan("quarantine").select(columns).sort("reason", "source").collect()

    def findings(self, name: str = "unmatched") -> pl.DataFrame:
        """Return what did not fit together: ``unmatched`` or ``conflicts``, as ``toolkit.dataset.findings`` has them."""
        from toolkit.dataset.findings import read_finding

        return read_finding(self, name)

    def refused_bytes(self, source: str) -> bytes | None:
        """Return the original bytes of a refused source, or None where they were past the recipe's limit.

        Raises
        ------
        MissingError
            If nothing of that name was refused.
        """
        found = self.scan("quarantine").filter(pl.col("source") == source).select("bytes").collect()
        if found.is_empty():
            raise MissingError(f"nothing called '{source}' was refused; see dataset.refusals()")
        payload: bytes | None = found["bytes"][0]
        return payload


def _read_slowly(path: Path | ObjectPath, group: int, row: int) -> bytes:
    with pq.ParquetFile(readable(path)) as shard:
        table = shard.read_row_group(group, columns=["image"], use_threads=False)
    payload: bytes = table["image"][row]["bytes"].as_py()
    return payload
