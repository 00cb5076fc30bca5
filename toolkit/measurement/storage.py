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

__all__ = ["FirstTouch", "RandomRead", "RawFileRead", "SequentialRead"]

_COLUMNS: Final = ["image.bytes"]
_DRAWN_COUNT: Final = 4096


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


class FirstTouch(SequentialRead):
    """The same as they are found, neither evicted nor read before, and each but once: what is read twice is no first touch."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, "first_touch")

    def run(self, deadline_s: float) -> Tally:
        """Read once through the row groups, or until the deadline; there is no second segment."""
        self.is_spent = True
        return super().run(deadline_s)


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
        self._drawn = itertools.cycle(self._draw())
        self._chosen = next(self._drawn)
        self._times_s: list[float] = []

    def open(self) -> None:
        """Read the shards' footers, and make the row groups resident."""
        self._times_s = []
        assert len(self.subject.dataset.shards)
        if self.cache == "warm":
            self.subject.warm()

    def prepare(self) -> None:
        """Choose a row group and evict its shard, once for each image, if they are to be cold."""
        if self.cache == "cold":
            self._chosen = next(self._drawn)
            evict([self._chosen[0].path])

    def run(self, deadline_s: float) -> Tally:
        """Fetch one image cold; warm, images until the deadline."""
        count = size_bytes = 0
        while True:
            _, index = self._chosen if self.cache == "cold" else next(self._drawn)
            start_s = time.perf_counter()
            size_bytes += len(self.subject.dataset.get(index))
            end_s = time.perf_counter()
            self._times_s.append(end_s - start_s)
            count += 1
            if self.cache == "cold" or end_s >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes, images=count)

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's images."""
        return self._times_s

    def _draw(self) -> list[tuple[Extent, int]]:
        """Return row groups and an image of each, drawn beforehand: drawing takes a good part of the time of a warm image."""
        extents = self.subject.extents
        chosen = self._dice.integers(len(extents), size=_DRAWN_COUNT).tolist()
        places = self._dice.random(_DRAWN_COUNT).tolist()
        return [
            (extents[number], extents[number].first_index + int(place * extents[number].row_count))
            for number, place in zip(chosen, places, strict=True)
        ]


class RawFileRead(Probe):
    """The same images as single files: open, read to the end, close; one thread."""

    def __init__(self, subject: Subject, cache: str) -> None:
        self.files = list(subject.raw_files)
        self.cache = cache
        np.random.default_rng(subject.seed).shuffle(self.files)
        self._times_s: list[float] = []

    def open(self) -> None:
        """Make the files resident, if they are to be."""
        self._times_s = []
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
            start_s = time.perf_counter()
            with path.open("rb", buffering=0) as file:
                size_bytes += len(file.readall())
            end_s = time.perf_counter()
            self._times_s.append(end_s - start_s)
            count += 1
            if end_s >= deadline_s:
                break
        self.files = self.files[count:] + self.files[:count]
        return Tally(operations=count, payload_bytes=size_bytes, images=count)

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's files."""
        return self._times_s
