"""Images of a row group fetched by one large read, each a view of the one buffer: no copy, no object per page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.extents import image_offsets
from toolkit.dataset.schema import is_hashed
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FACTS", "GroupRows", "ask_ahead", "fetch_rows"]

FACTS: Final = ("image_id", "sha256", "encoding", "label", "size_bytes")
"""Columns that are read beside the bytes."""

_PREFIX_BYTES: Final = 4
"""Each value is its length in four bytes, then its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRows:
    """Rows of a row group with their bytes."""

    payloads: Sequence[memoryview]
    """Encoded images."""
    image_ids: Sequence[str]
    """Their identifiers."""
    sha256: Sequence[str | None]
    """Their hashes; None where the stored bytes were re-encoded."""
    labels: Sequence[str | None]
    """Their labels."""


def fetch_rows(path: Path, metadata: pq.FileMetaData, group: int, rows: NDArray[np.int64]) -> GroupRows:
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

    Raises
    ------
    DatasetError
        If the shard cannot be read, or its bytes are not where they were written.
    """
    try:
        with path.open("rb", buffering=0) as file:
            with pq.ParquetFile(file, metadata=metadata) as shard:
                table = shard.read_row_group(group, columns=list(FACTS), use_threads=False)
            sizes = table["size_bytes"].to_pylist()
            facts = table.take(pa.array(rows)).to_pydict()
            offsets = image_offsets(file, metadata, group, sizes)
            payloads = _slowly(path, group, rows) if offsets is None else _at_once(file.fileno(), offsets, sizes, rows)
    except (OSError, IndexError, pa.ArrowException) as fault:
        raise DatasetError(f"shard '{path}' cannot be read: {fault}; run tonnage verify") from fault
    if payloads is None:
        raise DatasetError(f"shard '{path}' is damaged: its images are not where they were written; run tonnage verify")
    hashes = zip(facts["sha256"], facts["encoding"], strict=True)
    return GroupRows(
        payloads=payloads,
        image_ids=facts["image_id"],
        sha256=[sha256 if is_hashed(encoding) else None for sha256, encoding in hashes],
        labels=facts["label"],
    )


def _at_once(descriptor: int, offsets: Sequence[int], sizes: Sequence[int], rows: NDArray[np.int64]) -> list[memoryview] | None:
    """Return views of one read, or None if a length before an image is not the one expected."""
    first = offsets[rows[0]] - _PREFIX_BYTES
    buffer = np.empty(offsets[rows[-1]] + sizes[rows[-1]] - first, dtype=np.uint8)
    whole = buffer.data.cast("B")
    filled = 0
    while filled < len(whole):
        got = os.preadv(descriptor, [whole[filled:]], first + filled)
        if got == 0:
            return None
        filled += got
    views = []
    for row in rows.tolist():
        place = offsets[row] - first
        if int.from_bytes(whole[place - _PREFIX_BYTES : place], "little") != sizes[row]:
            return None
        views.append(whole[place : place + sizes[row]])
    return views


def _slowly(path: Path, group: int, rows: NDArray[np.int64]) -> list[memoryview]:
    """Return the images by Arrow, where a writer other than ours laid the pages out."""
    with pq.ParquetFile(path) as shard:
        table = shard.read_row_group(group, columns=["image"], use_threads=False).take(pa.array(rows))
    return [memoryview(value["bytes"].as_buffer()) for value in table["image"]]


def ask_ahead(path: Path, metadata: pq.FileMetaData, group: int) -> None:
    """Ask the system to begin reading a row group, where it can be asked."""
    fadvise: Any = getattr(os, "posix_fadvise", None)
    if fadvise is None:
        return
    rows = metadata.row_group(group)
    column = rows.column(0)
    with path.open("rb", buffering=0) as file:
        fadvise(file.fileno(), column.data_page_offset, column.total_compressed_size, os.POSIX_FADV_WILLNEED)
