"""The limits of this machine, by the plainest code that can be written: memory copy, page cache, device, mapped sum.

Each is taken in the same run, on the same files and in the same cache state as the stages it limits. One setting of a
limit is often not the limit (a device read one request at a time gives half), so each is swept and the best is used.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.measurement.windows import Probe, Tally, run_threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.measurement.subject import Extent, Subject

__all__ = ["DeviceRead", "MappedSum", "MemoryCopy", "PageCacheRead"]

_ALIGNMENT_BYTES: Final = 4096
"""Alignment of direct reads: the largest logical block in use."""
_RANDOM_OFFSETS: Final = 4096


class MemoryCopy(Probe):
    """NumPy copies a block beyond any processor cache; payload is what was copied (the traffic is twice that)."""

    def __init__(self, size_bytes: int, threads: int) -> None:
        self.size_bytes = size_bytes
        self.threads = threads
        self._pairs: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []

    def open(self) -> None:
        """Allocate the blocks and touch every page of them, once for all windows: page faults are no part of copying."""
        if self._pairs:
            return
        words = self.size_bytes // 8 // self.threads
        self._pairs = [(np.ones(words, np.uint64), np.ones(words, np.uint64)) for _ in range(self.threads)]

    def run(self, deadline_s: float) -> Tally:
        """Copy until the deadline."""
        return run_threads([partial(self._copy, source, target, deadline_s) for source, target in self._pairs])

    def _copy(self, source: NDArray[np.uint64], target: NDArray[np.uint64], deadline_s: float) -> Tally:
        count = 0
        while True:
            np.copyto(target, source)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=count * source.nbytes)


class MappedSum(Probe):
    """NumPy sums every byte of the mapped shards once: what touching data in memory costs when nothing is parsed."""

    def __init__(self, subject: Subject, threads: int) -> None:
        self.subject = subject
        self.threads = threads
        self._maps: list[mmap.mmap] = []
        self._views: list[NDArray[np.uint64]] = []

    def open(self) -> None:
        """Map the shards; sum them once, so that no page fault is left in the window."""
        maps: dict[Path, mmap.mmap] = {}
        for path in self.subject.paths:
            with path.open("rb") as file:
                maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._maps = list(maps.values())
        for extent in self.subject.extents:
            words = extent.size_bytes // 8
            if words:
                self._views.append(np.frombuffer(maps[extent.path], np.uint64, words, extent.offset_bytes))
                self._views[-1].sum()

    def run(self, deadline_s: float) -> Tally:
        """Sum until the deadline."""
        next_view = itertools.count()
        return run_threads([partial(self._sum, next_view, deadline_s)] * self.threads)

    def _sum(self, next_view: itertools.count[int], deadline_s: float) -> Tally:
        count = size_bytes = 0
        while True:
            view = self._views[next(next_view) % len(self._views)]
            np.add.reduce(view)
            count, size_bytes = count + 1, size_bytes + view.nbytes
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)

    def close(self) -> None:
        """Unmap the shards, so that they can be evicted again."""
        self._views = []
        for mapped in self._maps:
            mapped.close()
        self._maps = []


class PageCacheRead(Probe):
    """``preadv`` into one buffer from shards that are resident: in order and in large pieces, or at random in image sizes."""

    def __init__(self, subject: Subject, pattern: str, size_bytes: int) -> None:
        self.subject = subject
        self.reads = _reads(subject, pattern, size_bytes, alignment_bytes=1)
        self._buffer = bytearray(size_bytes)
        self._descriptors: dict[Path, int] = {}
        self._position = 0

    def open(self) -> None:
        """Open the shards and make them resident."""
        self.subject.warm()
        self._descriptors = {path: os.open(path, os.O_RDONLY) for path in self.subject.paths}

    def run(self, deadline_s: float) -> Tally:
        """Read until the deadline."""
        count = size_bytes = 0
        view = memoryview(self._buffer)
        while True:
            path, offset_bytes, length_bytes = self.reads[self._position % len(self.reads)]
            self._position += 1
            size_bytes += os.preadv(self._descriptors[path], [view[:length_bytes]], offset_bytes)
            count += 1
            if time.perf_counter() >= deadline_s:
                return Tally(operations=count, payload_bytes=size_bytes)

    def close(self) -> None:
        """Close the shards."""
        _close(self._descriptors.values())
        self._descriptors = {}


class DeviceRead(Probe):
    """Reads that come from the device: direct, several in flight, or buffered with the kernel's read-ahead after eviction."""

    def __init__(self, subject: Subject, pattern: str, size_bytes: int, depth: int, *, is_direct: bool) -> None:
        self.subject = subject
        self.pattern = pattern
        self.size_bytes = -(-size_bytes // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        self.member_count = depth
        self.is_direct = is_direct
        self.reads = _reads(subject, pattern, self.size_bytes, _ALIGNMENT_BYTES if is_direct else 1)
        self._descriptors: dict[Path, int] = {}
        self._start = 0
        self._times_s: list[float] = []

    def open(self) -> None:
        """Open the shards, past the page cache if direct."""
        self._times_s = []
        flags = os.O_RDONLY | (getattr(os, "O_DIRECT", 0) if self.is_direct else 0)
        self._descriptors = {path: os.open(path, flags) for path in self.subject.paths}

    def prepare(self) -> None:
        """Evict the shards, so that a buffered read has to ask the device."""
        if not self.is_direct:
            self.subject.evict()

    def run(self, deadline_s: float) -> Tally:
        """Read until the deadline; buffered, only until what was read could be resident: once through all, or one at random."""
        start, limit = self._start, None
        if not self.is_direct:
            start, limit = (0, len(self.reads)) if self.pattern == "sequential" else (self._start, self._start + 1)
        numbers = itertools.count(start)
        tally = run_threads([partial(self._read, numbers, deadline_s, limit)] * self.member_count)
        self._start += tally.operations
        return tally

    def _read(self, numbers: itertools.count[int], deadline_s: float, limit: int | None) -> Tally:
        count = size_bytes = 0
        with mmap.mmap(-1, self.size_bytes) as aligned, memoryview(aligned) as view:
            while True:
                number = next(numbers)
                if limit is not None and number >= limit:
                    return Tally(operations=count, payload_bytes=size_bytes)
                path, offset_bytes, length_bytes = self.reads[number % len(self.reads)]
                start_s = time.perf_counter()
                with view[: length_bytes if not self.is_direct else self.size_bytes] as part:
                    size_bytes += os.preadv(self._descriptors[path], [part], offset_bytes)
                end_s = time.perf_counter()
                self._times_s.append(end_s - start_s)
                count += 1
                if end_s >= deadline_s:
                    return Tally(operations=count, payload_bytes=size_bytes)

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's reads."""
        return self._times_s

    def close(self) -> None:
        """Close the shards."""
        _close(self._descriptors.values())
        self._descriptors = {}


def _reads(subject: Subject, pattern: str, size_bytes: int, alignment_bytes: int) -> list[tuple[Path, int, int]]:
    """Return (path, offset, length) of the reads of a pattern over the subject's extents."""
    reads: list[tuple[Path, int, int]] = []
    for extent in subject.extents:
        start, end = extent.offset_bytes // alignment_bytes * alignment_bytes, extent.offset_bytes + extent.size_bytes
        reads += [(extent.path, offset, min(size_bytes, end - offset)) for offset in range(start, end, size_bytes)]
    if pattern == "sequential":
        return reads
    dice = np.random.default_rng(subject.seed)
    sizes = np.array([extent.size_bytes for extent in subject.extents], dtype=float)
    chosen = [subject.extents[i] for i in dice.choice(len(sizes), size=_RANDOM_OFFSETS, p=sizes / sizes.sum())]
    return [(extent.path, *_anywhere(dice, extent, size_bytes, alignment_bytes)) for extent in chosen]


def _anywhere(dice: np.random.Generator, extent: Extent, size_bytes: int, alignment_bytes: int) -> tuple[int, int]:
    length_bytes = min(size_bytes, extent.size_bytes)
    offset_bytes = extent.offset_bytes + int(dice.integers(0, extent.size_bytes - length_bytes + 1))
    return offset_bytes // alignment_bytes * alignment_bytes, length_bytes


def _close(descriptors: Any) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
