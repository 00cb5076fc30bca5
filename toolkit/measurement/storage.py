"""Reading images from storage: whole shards in order, single images at random, and the same images as files.

Every byte that is counted is touched: a memory map that nobody reads costs nothing and would be as fast as one likes.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.measurement.caches import evict, make_resident
from toolkit.measurement.windows import Probe, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit.measurement.subject import Extent, Subject

__all__ = ["RandomRead", "RawFileRead", "SequentialRead"]

_COLUMNS: Final = ["image.bytes"]


class SequentialRead(Probe):
    """Row groups in order through the Parquet reader on a memory map, every image byte summed; one thread."""

    def __init__(self, subject: Subject, cache: str) -> None:
        self.subject = subject
        self.cache = cache
        self._shards = [(path, list(extents)) for path, extents in itertools.groupby(subject.extents, key=lambda e: e.path)]

    def open(self) -> None:
        """Make the shards resident, if they are to be."""
        if self.cache == "warm":
            self.subject.warm()

    def prepare(self) -> None:
        """Evict the shards, if they are to be cold."""
        if self.cache == "cold":
            self.subject.evict()

    def run(self, deadline_s: float) -> Tally:
        """Read once through the row groups, or until the deadline."""
        tally = Tally(operations=0)
        for number, (path, extents) in enumerate(self._shards):
            tally += _read_groups(path, extents, deadline_s)
            if time.perf_counter() >= deadline_s:
                self._shards = self._shards[number + 1 :] + self._shards[: number + 1]  # the next window reads others
                break
        return tally


def _read_groups(path: Path, extents: Sequence[Extent], deadline_s: float) -> Tally:
    count = size_bytes = images = 0
    with pa.memory_map(str(path)) as mapped, pq.ParquetFile(mapped) as shard:
        for extent in extents:
            table = shard.read_row_group(extent.row_group_index, columns=_COLUMNS, use_threads=False)
            size_bytes += touch_bytes(table["image"])
            images += table.num_rows
            count += 1
            del table
            if time.perf_counter() >= deadline_s:
                break
    return Tally(operations=count, payload_bytes=size_bytes, images=images)


def touch_bytes(column: Any) -> int:
    """Return the image bytes of a column of ``struct<bytes>``, after reading every one of them."""
    size_bytes = 0
    for chunk in column.chunks:
        payloads = chunk.field("bytes")
        _, offsets, values = payloads.buffers()
        if values is None or not len(payloads):
            continue
        width = np.int64 if pa.types.is_large_binary(payloads.type) else np.int32
        ends = np.frombuffer(offsets, width)[payloads.offset : payloads.offset + len(payloads) + 1]
        start_bytes, end_bytes = int(ends[0]), int(ends[-1])
        words = (end_bytes - start_bytes) // 8
        np.add.reduce(np.frombuffer(values, np.uint64, words, start_bytes))
        size_bytes += end_bytes - start_bytes
    return size_bytes


class RandomRead(Probe):
    """Single images by their index, as ``dataset.get`` gives them, checked against their sha256; one thread."""

    def __init__(self, subject: Subject, cache: str) -> None:
        self.subject = subject
        self.cache = cache
        self._dice = np.random.default_rng(subject.seed)
        self._extent = subject.extents[0]

    def open(self) -> None:
        """Read the shards' footers, and make the row groups resident."""
        assert len(self.subject.dataset.shards)
        if self.cache == "warm":
            self.subject.warm()

    def prepare(self) -> None:
        """Choose a row group and evict its shard, once for each image, if they are to be cold."""
        if self.cache == "cold":
            self._extent = self._any()
            evict([self._extent.path])

    def run(self, deadline_s: float) -> Tally:
        """Fetch one image cold; warm, images until the deadline."""
        count = size_bytes = 0
        while True:
            extent = self._extent if self.cache == "cold" else self._any()
            size_bytes += len(self.subject.dataset.get(extent.first_index + int(self._dice.integers(extent.row_count))))
            count += 1
            if self.cache == "cold" or time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes, images=count)

    def _any(self) -> Extent:
        return self.subject.extents[int(self._dice.integers(len(self.subject.extents)))]


class RawFileRead(Probe):
    """The same images as single files: open, read to the end, close; one thread."""

    def __init__(self, subject: Subject, cache: str) -> None:
        self.files = list(subject.raw_files)
        self.cache = cache
        np.random.default_rng(subject.seed).shuffle(self.files)

    def open(self) -> None:
        """Make the files resident, if they are to be."""
        for path in self.files if self.cache == "warm" else ():
            make_resident(path)

    def prepare(self) -> None:
        """Evict the files, if they are to be cold."""
        if self.cache == "cold":
            evict(self.files)

    def run(self, deadline_s: float) -> Tally:
        """Read once through the files, or until the deadline."""
        count = size_bytes = 0
        for path in self.files:
            with path.open("rb", buffering=0) as file:
                size_bytes += len(file.readall())
            count += 1
            if time.perf_counter() >= deadline_s:
                break
        self.files = self.files[count:] + self.files[:count]
        return Tally(operations=count, payload_bytes=size_bytes, images=count)
