"""Shards copied to another folder, as rsync copies whole files: written, fsynced, checked by sha256, removed.

Blocks are read and written, never cloned: a filesystem that shares blocks between two files would write nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from toolkit.errors import TonnageError
from toolkit.measurement.caches import evict
from toolkit.measurement.windows import Probe, Tally, run_threads
from toolkit.units import MIB, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolkit.measurement.subject import Subject

__all__ = ["FolderCopy", "FolderWrite", "written_bytes"]

_BLOCK_BYTES: Final = MIB
_SEGMENT_BYTES: Final = 64 * MIB
"""A stream writes no more than this, and one shard, before what it wrote is checked and removed."""
_ROOM_FACTOR: Final = 1.1


def written_bytes() -> int | None:
    """Return the bytes that this process has had written to devices so far; None where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/io", encoding="ascii") as account:  # noqa: PTH123 - no file
        facts = dict(line.split(": ") for line in account.read().splitlines())
        return int(facts["write_bytes"])
    return None


class FolderProbe(Probe):
    """What writing to a folder shares: names for the files, room for them, and what was written in the window."""

    def __init__(self, subject: Subject, folder: Path, streams: int) -> None:
        self.subject = subject
        self.folder = folder
        self.member_count = streams
        self._sizes = {path: path.stat().st_size for path in subject.paths}
        self._numbers = itertools.count()
        self._latencies_s: list[float] = []
        self._cpu_s = 0.0
        self._written_bytes: int | None = 0

    def open(self) -> None:
        """Make the shards resident, as their reading is not what is measured; refuse where there is no room for a segment."""
        self.subject.warm()
        self._latencies_s, self._cpu_s, self._written_bytes = [], 0.0, 0
        self.folder.mkdir(parents=True, exist_ok=True)
        needed_bytes = round((max(self._sizes.values()) + _SEGMENT_BYTES) * self.member_count * _ROOM_FACTOR)
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes < needed_bytes:
            raise TonnageError(
                f"'{self.folder.parent}' has {show(free_bytes, 'bytes')} free; copies by {self.member_count} streams take up to "
                f"{show(needed_bytes, 'bytes')} at once"
            )

    def wire(self) -> dict[str, Any] | None:
        """Return times of single files, CPU time, and the bytes written to the device."""
        from toolkit.measurement.wires import quantile

        times = self._latencies_s
        return {
            "path": "filesystem", "interface": "", "latency_p50_s": quantile(times, 0.5), "latency_p99_s": quantile(times, 0.99),
            "latency_mean_s": sum(times) / len(times) if times else None, "first_byte_p50_s": None, "first_byte_p99_s": None,
            "client_cpu_s": self._cpu_s, "server_cpu_s": None, "wire_bytes": self._written_bytes, "retransmit_count": None,
            "retransmit_evidence": "none",
        }  # fmt: skip

    def times_s(self) -> Sequence[float]:
        """Return the times of the window's files."""
        return self._latencies_s

    def run(self, deadline_s: float) -> Tally:
        """Write files in each stream until the deadline, the last one whole, or as much as a segment may hold."""
        cpu_s, before = time.process_time(), written_bytes()
        tally = run_threads([partial(self._stream, number, deadline_s) for number in range(self.member_count)])
        after = written_bytes()
        self._cpu_s += time.process_time() - cpu_s
        known = before is not None and after is not None and self._written_bytes is not None
        self._written_bytes = self._written_bytes + after - before if known else None  # type: ignore[operator]  # all of them are numbers, if known
        return tally

    def _stream(self, number: int, deadline_s: float) -> Tally:
        shards = list(self._sizes)
        count = size_bytes = 0
        while not count or (time.perf_counter() < deadline_s and size_bytes < _SEGMENT_BYTES):
            started_s = time.perf_counter()
            shard = shards[next(self._numbers) % len(shards)]
            size_bytes += self._write(self.folder / f"{number}-{count}.copy", shard)
            self._latencies_s.append(time.perf_counter() - started_s)
            count += 1
        return Tally(operations=count, payload_bytes=size_bytes)

    def _write(self, target: Path, shard: Path) -> int:
        raise NotImplementedError

    def close(self) -> None:
        """Remove what was written."""
        _remove(self.folder)


class FolderWrite(FolderProbe):
    """As many bytes as a shard has, from memory, with fsync: what the target takes when nothing is read or checked."""

    def _write(self, target: Path, shard: Path) -> int:
        block = bytes(range(256)) * (_BLOCK_BYTES // 256)
        left_bytes = self._sizes[shard]
        with target.open("wb", buffering=0) as file:
            while left_bytes:
                left_bytes -= file.write(block[:left_bytes])
            os.fsync(file.fileno())
        return self._sizes[shard]


class FolderCopy(FolderProbe):
    """Shards copied and fsynced; with ``is_checked`` they are also read back from the device and hashed within the clock.

    Without it the copies are checked all the same, outside the clock.
    """

    def __init__(self, subject: Subject, folder: Path, streams: int, *, is_checked: bool) -> None:
        super().__init__(subject, folder, streams)
        self.is_checked = is_checked
        self._unchecked: list[tuple[Path, Path]] = []

    def prepare(self) -> None:
        """Check the copies of the segment before."""
        self._check_rest()

    def _write(self, target: Path, shard: Path) -> int:
        digest = hashlib.sha256()
        size_bytes = 0
        with shard.open("rb", buffering=0) as source, target.open("wb", buffering=0) as file:
            for block in _blocks(source):
                if self.is_checked:
                    digest.update(block)
                size_bytes += _written(file, block)
            os.fsync(file.fileno())
        if self.is_checked:
            _check(target, digest.hexdigest())
        else:
            self._unchecked.append((target, shard))
        return size_bytes

    def _check_rest(self) -> None:
        digests = {shard: _digest(shard) for _, shard in self._unchecked}
        while self._unchecked:
            target, shard = self._unchecked.pop()
            _check(target, digests[shard])
        _remove(self.folder)

    def close(self) -> None:
        """Check what is left, then remove it."""
        try:
            self._check_rest()
        finally:
            super().close()


def _remove(folder: Path) -> None:
    for path in folder.glob("*.copy"):
        path.unlink()


def _blocks(source: Any) -> Iterator[memoryview]:
    buffer = bytearray(_BLOCK_BYTES)
    while count := source.readinto(buffer):
        yield memoryview(buffer)[:count]


def _written(file: Any, block: memoryview) -> int:
    done_bytes = 0
    while done_bytes < len(block):
        done_bytes += file.write(block[done_bytes:])
    return done_bytes


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(target: Path, expected: str) -> None:
    """Read a copy back, from the device where its pages can be evicted, and compare."""
    evict([target])
    if _digest(target) != expected:
        raise TonnageError(f"the copy at '{target}' does not hold what was written: its sha256 differs")
