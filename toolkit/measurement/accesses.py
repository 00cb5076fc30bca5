"""Storage asked in the ways a loader asks: pieces and row groups at random by many readers, metadata alone, files written.

Each piece and each row group is read once after an eviction, in random order: what is read twice would come from the cache.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.measurement.storage import touch_bytes
from toolkit.measurement.windows import Probe, Tally, run_threads
from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolkit.measurement.subject import Extent, Subject

__all__ = ["Footers", "Listing", "OpenClose", "Operations", "PieceRead", "RowGroupRead", "SyncedWrite", "access_probe"]

_PAGE_BYTES: Final = 4096
_ROUND_BYTES: Final = 64 * MIB


class Operations(Probe):
    """Items, each an operation timed by itself, shared by readers at work at once.

    Parameters
    ----------
    items : sequence
        What is read; once each in a segment, if ``cache`` is cold, else over and over.
    subject : Subject
        Whose shards are evicted, or made resident.
    cache : str
        ``cold``, ``warm`` or ``any``.
    readers : int
        Members of the closed loop.
    """

    def __init__(self, items: Sequence[Any], subject: Subject, cache: str, readers: int = 1) -> None:
        self.items = list(items)
        self.subject = subject
        self.cache = cache
        self.member_count = readers
        self._times_s: list[float] = []
        self._dice = np.random.default_rng(subject.seed)

    def operate(self, item: Any) -> Tally:
        """Do one operation."""
        raise NotImplementedError

    def open(self) -> None:
        """Make the shards resident, if they are to be."""
        self._times_s = []
        if self.cache == "warm":
            self.subject.warm()

    def prepare(self) -> None:
        """Draw an order; evict the shards, if they are to be cold."""
        self._dice.shuffle(self.items)
        if self.cache == "cold":
            self.subject.evict()

    def run(self, deadline_s: float) -> Tally:
        """Operate until the deadline, or once through all that was evicted."""
        numbers = itertools.count()
        return run_threads([partial(self._loop, numbers, deadline_s)] * self.member_count)

    def _loop(self, numbers: itertools.count[int], deadline_s: float) -> Tally:
        tally = Tally(operations=0)
        while True:
            number = next(numbers)
            if self.cache == "cold" and number >= len(self.items):
                return tally
            start_s = time.perf_counter()
            tally += self.operate(self.items[number % len(self.items)])
            end_s = time.perf_counter()
            self._times_s.append(end_s - start_s)
            if end_s >= deadline_s:
                return tally

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's operations."""
        return self._times_s


class PieceRead(Operations):
    """Pieces of an image's size at page boundaries, by ``preadv``, the kernel told not to read ahead."""

    def __init__(self, subject: Subject, size_bytes: int, cache: str, readers: int) -> None:
        self.size_bytes = -(-size_bytes // _PAGE_BYTES) * _PAGE_BYTES
        super().__init__(list(self._pieces(subject)), subject, cache, readers)
        self._descriptors: dict[Path, int] = {}

    def _pieces(self, subject: Subject) -> list[tuple[Path, int, int]]:
        found = []
        for extent in subject.extents:
            start = -(-extent.offset_bytes // _PAGE_BYTES) * _PAGE_BYTES
            end = (extent.offset_bytes + extent.size_bytes) // _PAGE_BYTES * _PAGE_BYTES
            found += [(extent.path, at, min(self.size_bytes, end - at)) for at in range(start, end, self.size_bytes)]
        return found

    def open(self) -> None:
        """Open the shards."""
        super().open()
        for path in self.subject.paths:
            self._descriptors[path] = os.open(path, os.O_RDONLY)
            os.posix_fadvise(self._descriptors[path], 0, 0, os.POSIX_FADV_RANDOM)

    def operate(self, item: tuple[Path, int, int]) -> Tally:
        """Read one piece."""
        path, offset_bytes, size_bytes = item
        return Tally(operations=1, payload_bytes=len(os.pread(self._descriptors[path], size_bytes, offset_bytes)))

    def close(self) -> None:
        """Close the shards."""
        for descriptor in self._descriptors.values():
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._descriptors = {}


class RowGroupRead(Operations):
    """Row groups in random order through the Parquet reader on a memory map, footers known, every image byte summed."""

    def __init__(self, subject: Subject, cache: str, readers: int) -> None:
        super().__init__(subject.extents, subject, cache, readers)
        self._footers = {path: pq.read_metadata(path) for path in subject.paths}

    def operate(self, item: Extent) -> Tally:
        """Read one row group."""
        with pa.memory_map(str(item.path)) as mapped, pq.ParquetFile(mapped, metadata=self._footers[item.path]) as shard:
            table = shard.read_row_group(item.row_group_index, columns=["image.bytes"], use_threads=False)
            return Tally(operations=1, payload_bytes=touch_bytes(table["image"]), images=table.num_rows)


class Footers(Operations):
    """Footers of shards, parsed; payload is their bytes."""

    def __init__(self, subject: Subject, cache: str) -> None:
        super().__init__(subject.paths, subject, cache)

    def operate(self, item: Path) -> Tally:
        """Read one footer."""
        return Tally(operations=1, payload_bytes=pq.read_metadata(item).serialized_size)


class OpenClose(Operations):
    """Shards opened and closed; nothing is read."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject.paths, subject, "any")

    def operate(self, item: Path) -> Tally:
        """Open and close one shard."""
        os.close(os.open(item, os.O_RDONLY))
        return Tally(operations=1)


class Listing(Operations):
    """The shards' folder, listed with sizes; an operation is one entry."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(sorted({path.parent for path in subject.paths}), subject, "any")

    def operate(self, item: Path) -> Tally:
        """List one folder."""
        with os.scandir(item) as entries:
            return Tally(operations=max(1, sum(entry.stat().st_size >= 0 for entry in entries)))

    def times_s(self) -> Sequence[float]:
        """Return nothing: a folder is timed as a whole, an operation is an entry of it."""
        return ()


class SyncedWrite(Probe):
    """Files written and synced one after another in the scratch folder; of each the time until ``fsync`` returned."""

    def __init__(self, scratch: Path, size_bytes: int) -> None:
        self.folder = scratch
        self.payload = np.random.default_rng(0).bytes(size_bytes)  # a compressing device must not have it easy
        self._times_s: list[float] = []
        self._written: list[Path] = []

    def open(self) -> None:
        """Forget the times of the last window."""
        self._times_s = []

    def run(self, deadline_s: float) -> Tally:
        """Write files until the deadline, or until a round's bytes are there."""
        size_bytes = 0
        while True:
            start_s = time.perf_counter()
            path = self.folder / f"written-{os.getpid()}-{len(self._written)}"
            self._written.append(path)
            with path.open("wb", buffering=0) as file:
                file.write(self.payload)
                os.fsync(file.fileno())
            end_s = time.perf_counter()
            self._times_s.append(end_s - start_s)
            size_bytes += len(self.payload)
            if end_s >= deadline_s or size_bytes >= _ROUND_BYTES:
                return Tally(operations=size_bytes // len(self.payload), payload_bytes=size_bytes)

    def prepare(self) -> None:
        """Remove what the last segment wrote."""
        for path in self._written:
            path.unlink(missing_ok=True)
        self._written = []

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's files."""
        return self._times_s

    def close(self) -> None:
        """Remove the files."""
        self.prepare()


def access_probe(metric: str, facts: Any, subject: Subject) -> Probe:
    """Return the probe of a stage of ``stages_read``."""
    kinds: dict[str, Callable[[], Probe]] = {
        "read.pieces": lambda: PieceRead(subject, facts["read_bytes"], facts["cache"], facts["threads"]),
        "read.row_groups": lambda: RowGroupRead(subject, facts["cache"], facts["threads"]),
        "metadata.footer": lambda: Footers(subject, facts["cache"]),
        "metadata.open": lambda: OpenClose(subject),
        "metadata.list": lambda: Listing(subject),
    }
    return kinds[metric]()
