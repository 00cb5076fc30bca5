"""Members of an archive as they are listed, in columns: as objects, a million of them take a gigabyte."""

from __future__ import annotations

import posixpath
from array import array
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from toolkit.curation.sources.masks import ImageStems
from toolkit.curation.sources.units import Item, member_key, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.curation.reasons import Refusal

__all__ = ["MemberTable"]

_BLOCK: Final = 8_192
"""Members held as Python's lists before they become a frame."""

_SCHEMA: Final = pl.Schema({"name": pl.Binary, "offset": pl.Int64, "size_bytes": pl.Int64, "packed": pl.String})

Row = tuple[bytes, int, int, str]


class MemberTable:
    """Members of one archive, in the order in which they are added.

    Parameters
    ----------
    key : str
        Source key of the archive.
    etag : str
        What tells a change of it.
    is_claimed : callable
        Returns whether a member's name claims an image.
    """

    def __init__(self, key: str, etag: str, is_claimed: Callable[[str], bool]) -> None:
        self._key, self._etag, self._is_claimed = key, etag, is_claimed
        self._blocks: list[pl.DataFrame] = []
        self._waiting: list[Row] = []
        self._refusals: dict[int, Refusal] = {}
        self._spans = array("q")
        self._count = 0
        self.folders: dict[str, bool] = {}
        """Every folder, and whether it holds images itself."""
        self.stems = ImageStems()
        """The images, by their paths without ending."""

    def __len__(self) -> int:
        return self._count

    def add(self, name: str, offset: int, size_bytes: int, refused: Refusal | None, packed: str = "") -> None:
        """Take note of a member."""
        if refused is not None:
            self._refusals[self._count] = refused
        self._waiting.append((name.encode("utf-8", "surrogateescape"), offset, size_bytes, packed))
        self._count += 1
        folder, claimed = posixpath.dirname(name), self._is_claimed(name)
        self.folders[folder] = self.folders.get(folder, False) or claimed
        if claimed:
            self.stems.add(name)
        if len(self._waiting) == _BLOCK:
            self._flush()

    def span(self, start: int, end: int) -> None:
        """Take note of the bytes that a member claims."""
        self._spans.extend((start, end))

    def overlap_at(self) -> int | None:
        """Return where two members first claim the same bytes; None if none do."""
        spans = np.frombuffer(self._spans, dtype=np.int64).reshape(-1, 2) if self._spans else np.empty((0, 2), dtype=np.int64)
        ordered = spans[np.argsort(spans[:, 0], kind="stable")]
        overlapping = np.flatnonzero(ordered[1:, 0] < ordered[:-1, 1])
        return int(ordered[overlapping[0] + 1, 0]) if len(overlapping) else None

    def _flush(self) -> None:
        if self._waiting:
            self._blocks.append(pl.DataFrame(self._waiting, schema=_SCHEMA, orient="row"))
        self._waiting = []

    def items(self) -> Iterator[Item]:
        """Yield the members; a name that comes again gets a number in its key."""
        self._flush()
        if not self._blocks:
            return
        table = pl.concat(self._blocks).with_columns(number=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("name"))
        row = 0
        for block in table.iter_slices(_BLOCK):
            for name, offset, size_bytes, packed, number in block.iter_rows():
                yield self._item(row, name.decode("utf-8", "surrogateescape"), offset, size_bytes, packed, number)
                row += 1

    def _item(self, row: int, name: str, offset: int, size_bytes: int, packed: str, number: int) -> Item:
        shown, raw = printable(name)
        return Item(
            source=member_key(self._key, shown, number),
            place=name,
            raw=raw,
            offset=offset,
            size_bytes=size_bytes,
            etag=self._etag,
            refusal=self._refusals.get(row),
            packed=packed,
        )
