"""Images of a row group fetched by one large read, each a view of the one buffer: no copy, no object per page."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.extents import PREFIX_BYTES, image_places
from toolkit.dataset.schema import is_hashed
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.dataset.buffers import Buffers
    from toolkit.dataset.extents import ImagePlaces
    from toolkit.dataset.page_headers import Page

__all__ = ["Check", "GroupRows", "fetch_rows"]

Check = Literal["images", "pages", "none"]
"""What is held against what was written: each image's sha256, each page's CRC-32, or nothing."""

_FACTS: Final = ("image_id", "label", "size_bytes")
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


def fetch_rows(
    path: Path, metadata: pq.FileMetaData, group: int, rows: NDArray[np.int64], *, check: Check, buffers: Buffers
) -> GroupRows:
    """Return rows of a row group, read from the first to the last of them at once.

    Parameters
    ----------
    path : Path
        The shard.
    metadata : pyarrow.parquet.FileMetaData
        Its footer.
    group : int
        Which row group.
    rows : numpy.ndarray
        Which of its rows, ascending.
    check : {"images", "pages", "none"}
        ``pages`` compares checksums here, and asks for hashes where the writer left checksums out; ``images`` is left to
        the caller, who is given what to compare with.
    buffers : Buffers
        Where memory is taken from.

    Raises
    ------
    DatasetError
        If the shard cannot be read, or its bytes are not those that were written.
    """
    try:
        with path.open("rb", buffering=0) as file:
            _ask_ahead(file.fileno(), metadata, group)
            with pq.ParquetFile(file, metadata=metadata) as shard:
                columns = [*_FACTS, *(() if check == "none" else _HASHES)]
                table = shard.read_row_group(group, columns=columns, use_threads=False)
            sizes = table["size_bytes"].to_pylist()
            places = image_places(file, metadata, group, sizes)
            is_checked = check == "pages" and places is not None and all(page.checksum is not None for page in places.pages)
            if places is None:
                payloads: list[memoryview] | None = _slowly(path, group, rows)
            else:
                wanted = _Wanted(rows=rows, sizes=np.asarray(sizes, dtype=np.int64), places=places)
                payloads = _at_once(file.fileno(), wanted, buffers, check_pages=is_checked)
    except (OSError, IndexError, pa.ArrowException) as fault:
        raise DatasetError(f"shard '{path}' cannot be read: {fault}; run tonnage verify") from fault
    if payloads is None:
        raise DatasetError(f"shard '{path}' is damaged: row group {group} is not as it was written; run tonnage verify")
    facts = (table if len(rows) == len(table) else table.take(pa.array(rows))).to_pydict()
    return GroupRows(
        payloads=payloads,
        image_ids=facts["image_id"],
        sha256=[None] * len(rows) if check == "none" or is_checked else _hashes(facts),
        labels=facts["label"],
    )


def _hashes(facts: dict[str, list[Any]]) -> list[str | None]:
    known = zip(facts["sha256"], facts["encoding"], strict=True)
    return [sha256 if is_hashed(encoding) else None for sha256, encoding in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Rows of a row group, and where they lie."""

    rows: NDArray[np.int64]
    sizes: NDArray[np.int64]
    places: ImagePlaces


def _at_once(descriptor: int, wanted: _Wanted, buffers: Buffers, *, check_pages: bool) -> list[memoryview] | None:
    """Return views of one read, or None if a checksum, or a length before an image, is not the one expected."""
    offsets, sizes = wanted.places.offset_bytes[wanted.rows], wanted.sizes[wanted.rows]
    first, last = int(offsets[0]) - PREFIX_BYTES, int(offsets[-1] + sizes[-1])
    pages = [page for page in wanted.places.pages if page.end_bytes > first and page.start_bytes < last] if check_pages else []
    if pages:
        first, last = pages[0].start_bytes, pages[-1].end_bytes
    buffer = buffers.take(last - first)
    whole = buffer.data
    if not _filled(descriptor, whole, first) or not _are_intact(pages, whole, first):
        return None
    starts = offsets - first
    prefixes = buffer[(starts - PREFIX_BYTES)[:, None] + np.arange(PREFIX_BYTES)].view("<u4")[:, 0]
    if not np.array_equal(prefixes, sizes):
        return None
    seen = whole.toreadonly()
    return [seen[start:end] for start, end in zip(starts.tolist(), (starts + sizes).tolist(), strict=True)]


def _filled(descriptor: int, whole: memoryview, first: int) -> bool:
    """Read from a place until a buffer is full; return False if the file ends before."""
    filled = 0
    while filled < len(whole):
        got = os.preadv(descriptor, [whole[filled:]], first + filled)
        if got == 0:
            return False
        filled += got
    return True


def _are_intact(pages: Sequence[Page], whole: memoryview, first: int) -> bool:
    """Return whether each page has the checksum that its header names.

    Source: Apache Parquet, ``parquet.thrift``, ``PageHeader.crc``: the CRC-32 of zlib over the page as stored.
    """
    return all(_crc32(whole[page.start_bytes - first : page.end_bytes - first]) == page.checksum for page in pages)


def _crc32(stored: memoryview) -> bytes:
    return zlib.crc32(stored).to_bytes(4, "big")


def _slowly(path: Path, group: int, rows: NDArray[np.int64]) -> list[memoryview]:
    """Return the images by Arrow, where a writer other than ours laid the pages out."""
    with pq.ParquetFile(path) as shard:
        table = shard.read_row_group(group, columns=["image"], use_threads=False).take(pa.array(rows))
    return [memoryview(value["bytes"].as_buffer()) for value in table["image"]]


def _ask_ahead(descriptor: int, metadata: pq.FileMetaData, group: int) -> None:
    """Ask the system to begin reading a row group, where it can be asked: its own read-ahead is a hundredth of one.

    What is in memory already is not asked for, as walking its pages takes a tenth of the time of reading them.
    """
    fadvise: Any = getattr(os, "posix_fadvise", None)
    if fadvise is None:
        return
    column = metadata.row_group(group).column(0)
    place, size_bytes = column.data_page_offset, column.total_compressed_size
    if not all(_is_cached(descriptor, at) for at in (place, place + size_bytes // 2, place + size_bytes - 1)):
        fadvise(descriptor, place, size_bytes, os.POSIX_FADV_WILLNEED)


def _is_cached(descriptor: int, place: int) -> bool:
    """Return whether a byte of a file can be had without waiting for a device; False where the system does not say."""
    try:
        return os.preadv(descriptor, [bytearray(1)], place, os.RWF_NOWAIT) == 1
    except (OSError, AttributeError):
        return False
