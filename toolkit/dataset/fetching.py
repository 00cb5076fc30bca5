"""Images of a row group fetched at once, each a view of one stretch of the shard: no copy, no object per page."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.extents import PREFIX_BYTES, image_places
from toolkit.dataset.object_paths import readable
from toolkit.dataset.residence import ResidentShard
from toolkit.dataset.schema import is_hashed
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.dataset.extents import ImagePlaces
    from toolkit.dataset.order import Piece
    from toolkit.dataset.page_headers import Page
    from toolkit.dataset.row_groups import RowGroups

__all__ = ["Check", "Fetcher", "GroupRows"]

Check = Literal["images", "pages", "none"]
"""What is held against what was written: each image's sha256, each page's CRC-32, or nothing."""

_FACTS: Final = ("image_id", "label", "size_bytes")
_SHARDS_HELD: Final = 64
_GROUPS_HELD: Final = 256
"""Row groups whose facts are kept: at most about 20 MB."""
_HASHES: Final = ("sha256", "encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRows:
    """Rows of a row group with their bytes."""

    payloads: Sequence[memoryview]
    """Encoded images."""
    image_ids: Sequence[str]
    """Their identifiers."""
    sha256: Sequence[str | None]
    """What they must hash to; None where that was not asked for, or is not known as the stored bytes were re-encoded."""
    labels: Sequence[str | None]
    """Their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What is known of a row group before its images are looked at."""

    table: pa.Table
    sizes: NDArray[np.int64]
    places: ImagePlaces | None
    has_checksums: bool


class Fetcher:
    """Fetches pieces of row groups; shards stay mapped until ``close``, and facts at hand, for the next epoch.

    Parameters
    ----------
    groups : RowGroups
        What pieces are of.
    check : {"images", "pages", "none"}
        ``pages`` compares checksums here, and gives hashes where the writer left checksums out; ``images`` is left to the
        caller, who is given what to compare with.
    """

    def __init__(self, groups: RowGroups, check: Check) -> None:
        self.check = check
        self._groups = groups
        self._shard = lru_cache(_SHARDS_HELD)(ResidentShard)
        # of a function and not of a method: a cache of one's own method would keep this, and every map, until a collection
        self._facts = lru_cache(_GROUPS_HELD)(partial(_read_facts, groups, has_hashes=check != "none"))

    def close(self) -> None:
        """Let go of the shards: what is mapped cannot be evicted from the page cache. The next call maps them again."""
        self._shard.cache_clear()

    def __call__(self, piece: Piece) -> GroupRows:
        """Return the rows of a piece.

        Raises
        ------
        DatasetError
            If the shard cannot be read, or its bytes are not those that were written.
        """
        path, metadata, group = self._groups.place(piece.group)
        rows = self._groups.rows(piece.group)[piece.start : piece.stop]
        try:
            shard = self._shard(path)
            column = metadata.row_group(group).column(0)
            shard.ask_ahead(column.data_page_offset, column.total_compressed_size)
            facts = self._facts(piece.group)
            is_checked = self.check == "pages" and facts.has_checksums
            if facts.places is None:
                payloads: list[memoryview] | None = _slowly(path, group, rows)
            else:
                payloads = _views(shard, facts.places, rows, facts.sizes[rows], check_pages=is_checked)
        except (OSError, IndexError, pa.ArrowException) as fault:
            raise DatasetError(f"shard '{path}' cannot be read: {fault}; run tonnage verify") from fault
        if payloads is None:
            raise DatasetError(f"shard '{path}' is damaged: row group {group} is not as it was written; run tonnage verify")
        known = (facts.table if len(rows) == len(facts.table) else facts.table.take(pa.array(rows))).to_pydict()
        return GroupRows(
            payloads=payloads,
            image_ids=known["image_id"],
            sha256=[None] * len(rows) if self.check == "none" or is_checked else _hashes(known),
            labels=known["label"],
        )


def _read_facts(groups: RowGroups, number: int, *, has_hashes: bool) -> _Facts:
    path, metadata, group = groups.place(number)
    with path.open("rb", buffering=0) as file:
        with pq.ParquetFile(file, metadata=metadata) as parquet:
            columns = [*_FACTS, *(_HASHES if has_hashes else ())]
            table = parquet.read_row_group(group, columns=columns, use_threads=False)
        sizes = table["size_bytes"].to_pylist()
        places = image_places(file, metadata, group, sizes)
    return _Facts(
        table=table,
        sizes=np.array([-1 if size is None else size for size in sizes], dtype=np.int64),
        places=places,
        has_checksums=places is not None and all(page.checksum is not None for page in places.pages),
    )


def _hashes(facts: dict[str, list[Any]]) -> list[str | None]:
    known = zip(facts["sha256"], facts["encoding"], strict=True)
    return [sha256 if is_hashed(encoding) else None for sha256, encoding in known]


def _views(
    shard: ResidentShard, places: ImagePlaces, rows: NDArray[np.int64], sizes: NDArray[np.int64], *, check_pages: bool
) -> list[memoryview] | None:
    """Return views of images, or None if a checksum, or a length before an image, is not the one expected."""
    offsets = places.offset_bytes[rows]
    first, last = int(offsets[0]) - PREFIX_BYTES, int(offsets[-1] + sizes[-1])
    pages = [page for page in places.pages if page.end_bytes > first and page.start_bytes < last] if check_pages else []
    if pages:
        first, last = pages[0].start_bytes, pages[-1].end_bytes
    whole = shard.view(first, last - first)
    if whole is None or not _are_intact(pages, whole, first):
        return None
    starts = offsets - first
    held: NDArray[np.uint8] = np.frombuffer(whole, dtype=np.uint8)
    prefixes = held[(starts - PREFIX_BYTES)[:, None] + np.arange(PREFIX_BYTES)].view("<u4")[:, 0]
    if not np.array_equal(prefixes, sizes):
        return None
    return [whole[start:end] for start, end in zip(starts.tolist(), (starts + sizes).tolist(), strict=True)]


def _are_intact(pages: Sequence[Page], whole: memoryview, first: int) -> bool:
    """Return whether each page has the checksum that its header names.

    Source: Apache Parquet, ``parquet.thrift``, ``PageHeader.crc``: the CRC-32 of zlib over the page as stored.
    """
    return all(_crc32(whole[page.start_bytes - first : page.end_bytes - first]) == page.checksum for page in pages)


def _crc32(stored: memoryview) -> bytes:
    return zlib.crc32(stored).to_bytes(4, "big")


def _slowly(path: Path, group: int, rows: NDArray[np.int64]) -> list[memoryview]:
    """Return the images by Arrow, where a writer other than ours laid the pages out."""
    with pq.ParquetFile(readable(path)) as shard:
        table = shard.read_row_group(group, columns=["image"], use_threads=False).take(pa.array(rows))
    return [memoryview(value["bytes"].as_buffer()) for value in table["image"]]
