"""Where in a shard each image's bytes lie, so that one image costs one read.

Image bytes are stored plain: in a data page, after the definition levels, each value is its length in four bytes and then
its bytes. The sizes stand in a column of facts, so offsets follow from the pages' headers alone, without touching the
images. What follows is checked before use: the values must fill their pages, and either the bytes' sha256 or the length
before them must be the expected one; anything unexpected (a null, another encoding or writer) means reading the whole row
group instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq

from toolkit.dataset.page_headers import plain_pages
from toolkit.dataset.schema import is_hashed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from numpy.typing import NDArray

    from toolkit.dataset.page_headers import Page
    from toolkit.dataset.shard_files import ShardFile

__all__ = ["PREFIX_BYTES", "GroupExtents", "ImagePlaces", "group_extents", "image_places", "read_extent"]

PREFIX_BYTES: Final = 4
"""Each value is its length in so many bytes, and then its bytes."""

_BYTES_COLUMN: Final = "image.bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupExtents:
    """The images of one row group: what they hash to, and where they lie."""

    sha256: Sequence[str | None]
    """Hash of the original bytes by row; None where the stored bytes were re-encoded."""
    size_bytes: Sequence[int]
    """Length by row."""
    offset_bytes: Sequence[int] | None
    """Where each image begins in the shard; None where that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlaces:
    """Where the images of a row group lie, and the pages that they lie in."""

    offset_bytes: NDArray[np.int64]
    """Where each image begins in the shard."""
    pages: Sequence[Page]
    """The pages, in their order."""


def group_extents(shard: ShardFile, group: int) -> GroupExtents:
    """Return where the images of a row group lie, from the pages' headers and the column of sizes."""
    with shard.path.open("rb", buffering=0) as file:
        with pq.ParquetFile(file, metadata=shard.metadata) as parquet:
            facts = parquet.read_row_group(group, columns=["sha256", "size_bytes", "encoding"], use_threads=False).to_pydict()
        sizes = facts["size_bytes"]
        places = image_places(file, shard.metadata, group, sizes)
    hashes = zip(facts["sha256"], facts["encoding"], strict=True)
    return GroupExtents(
        sha256=[sha256 if is_hashed(encoding) else None for sha256, encoding in hashes],
        size_bytes=sizes,
        offset_bytes=None if places is None else places.offset_bytes.tolist(),
    )


def image_places(file: BinaryIO, metadata: pq.FileMetaData, group: int, sizes: Sequence[int | None]) -> ImagePlaces | None:
    """Return where each image of a row group begins in the shard; None if that cannot be told.

    Parameters
    ----------
    file : binary file
        The shard, opened.
    metadata : pyarrow.parquet.FileMetaData
        Its footer.
    group : int
        Which row group.
    sizes : sequence of int
        Length of each image, in bytes.
    """
    if any(size is None for size in sizes):
        return None
    try:
        pages = plain_pages(file, _column(metadata.row_group(group)))
        return ImagePlaces(offset_bytes=_offsets(pages, np.asarray(sizes, dtype=np.int64)), pages=pages)
    except (ValueError, IndexError, KeyError):
        return None


def read_extent(shard: ShardFile, extents: GroupExtents, row: int, *, check_length: bool) -> bytes | None:
    """Return the bytes of one image by one read, or None if they are not where they were expected.

    The length before them is looked at if asked for: who compares the hash need not.
    """
    if extents.offset_bytes is None:
        return None
    place, size_bytes = extents.offset_bytes[row], extents.size_bytes[row]
    if check_length and int.from_bytes(shard.read(place - PREFIX_BYTES, PREFIX_BYTES), "little") != size_bytes:
        return None
    found = shard.read(place, size_bytes)
    return found if len(found) == size_bytes else None


def _column(rows: Any) -> Any:
    for i in range(rows.num_columns):
        column = rows.column(i)
        if column.path_in_schema == _BYTES_COLUMN and column.compression == "UNCOMPRESSED" and not column.has_dictionary_page:
            return column
    raise KeyError(_BYTES_COLUMN)


def _offsets(pages: Sequence[Page], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each value begins.

    Raises
    ------
    ValueError
        If the values do not fill the pages.
    """
    offsets = np.empty(len(sizes), dtype=np.int64)
    first = 0
    for page in pages:
        last = first + page.value_count
        ends = page.values_start_bytes + np.cumsum(sizes[first:last] + PREFIX_BYTES)
        if len(ends) != page.value_count or (len(ends) and ends[-1] != page.end_bytes):
            raise ValueError("the values do not fill the page")
        offsets[first:last] = ends - sizes[first:last]
        first = last
    if first != len(sizes):
        raise ValueError("the pages do not hold the values")
    return offsets
