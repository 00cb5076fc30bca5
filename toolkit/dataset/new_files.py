"""New files that are large and read by nobody soon: written past the page cache where the filesystem allows it, and hashed.

Through the page cache each byte is copied once more, and each page must be found for it: on a machine that has to fetch its
pages from its host, that took as long as reading, hashing and encoding together. Elsewhere the same bytes go through the
cache, and leave it once they are on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from toolkit.units import MIB

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

__all__ = ["NewFile"]

_BUFFER_BYTES: Final = 4 * MIB
"""Written at once: writes of 1 MiB took a tenth longer, of 32 MiB no less."""

_MOST_BUFFERS: Final = 8
"""Held at most: a row group comes at once, and is written while the next one is made."""

_ALIGNED_BYTES: Final = 4_096
"""What offset, address and length of a write past the cache are multiples of; no drive of today asks for more.

Source: open(2), O_DIRECT: the logical block size of the device, 512 or 4096 bytes."""

_DIRECT: Final = getattr(os, "O_DIRECT", 0)
"""Not on macOS or Windows."""


class NewFile:
    """A file that is hashed and written by a thread of its own while the next bytes are made; a context manager.

    Parameters
    ----------
    path : Path
        Where it goes; what is there is overwritten.

    Notes
    -----
    ``finish`` is to be called at the end: without it, what was written last may be missing. What the disk refuses is raised
    by a later ``write`` or by ``finish``.
    """

    closed = False
    """Asked for by ``pyarrow.PythonFile``."""

    def __init__(self, path: Path) -> None:
        self.size_bytes = 0
        """Written so far."""
        self.cpu_s = 0.0
        """Processor time of the thread that hashes and writes; whole once ``finish`` has returned."""
        self._descriptor, self._is_direct = _opened(path)
        self._hash = hashlib.sha256()
        self._buffer, self._filled_bytes = _new_buffer(), 0
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[memoryview]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)  # it writes to the descriptor, whose number the next file may get
        os.close(self._descriptor)

    def write(self, data: bytes) -> int:
        """Take bytes; wait for the disk only if it is behind by as much as is held."""
        view = memoryview(data).cast("B")
        self.size_bytes += len(view)
        while view:
            taken = view[: _BUFFER_BYTES - self._filled_bytes]
            self._buffer[self._filled_bytes : self._filled_bytes + len(taken)] = taken
            self._filled_bytes += len(taken)
            view = view[len(taken) :]
            if self._filled_bytes == _BUFFER_BYTES:
                self._hand_over()
        return len(data)

    def flush(self) -> None:
        """Nothing that another process might want waits here."""

    def finish(self) -> str:
        """Write the rest, wait until all is on the disk, and return the hash of what was handed to it, hex."""
        while self._waiting:
            self._oldest()
        self._stored(self._buffer, self._filled_bytes)
        self._filled_bytes = 0
        os.fsync(self._descriptor)
        if not self._is_direct and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return self._hash.hexdigest()

    def _hand_over(self) -> None:
        """Have the full buffer written, and take another: a new one, or the oldest that was handed over."""
        self._thread = self._thread or ThreadPoolExecutor(1, "new file")
        self._waiting.append(self._thread.submit(self._stored_apart, self._buffer))
        self._buffer = self._oldest() if len(self._waiting) == _MOST_BUFFERS - 1 or self._waiting[0].done() else _new_buffer()
        self._filled_bytes = 0

    def _oldest(self) -> memoryview:
        """Return the oldest buffer that was handed over, once it is written; raise what went wrong with it."""
        return self._waiting.popleft().result()

    def _stored_apart(self, buffer: memoryview) -> memoryview:
        """Do as ``_stored`` in the thread, and count its processor time."""
        started_s = time.thread_time()
        self._stored(buffer, _BUFFER_BYTES)
        self.cpu_s += time.thread_time() - started_s
        return buffer

    def _stored(self, buffer: memoryview, size_bytes: int) -> None:
        """Hash and write the beginning of a buffer."""
        rest = buffer[:size_bytes]
        self._hash.update(rest)
        while rest:
            rest = rest[self._accepted(rest) :]

    def _accepted(self, rest: memoryview) -> int:
        """Write some of what remains, and return how much: whole blocks past the cache, as long as that is not refused."""
        if self._is_direct and len(rest) >= _ALIGNED_BYTES:
            try:
                return os.write(self._descriptor, rest[: len(rest) // _ALIGNED_BYTES * _ALIGNED_BYTES])
            except OSError as fault:
                if fault.errno != errno.EINVAL:  # which is said of memory, length or place that do not fit, or of all such writes
                    raise
        self._through_the_cache()
        return os.write(self._descriptor, rest)

    def _through_the_cache(self) -> None:
        if self._is_direct and sys.platform == "linux":
            import fcntl

            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~_DIRECT)
        self._is_direct = False


def _new_buffer() -> memoryview:
    """Return a buffer that begins where what is written past the cache must; of memory that the process may still have."""
    whole = np.empty(_BUFFER_BYTES + _ALIGNED_BYTES, dtype=np.uint8)
    start = -whole.ctypes.data % _ALIGNED_BYTES
    return whole[start : start + _BUFFER_BYTES].data


def _opened(path: Path) -> tuple[int, bool]:
    """Return a descriptor of an empty file to write, and whether it goes past the cache."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    if _DIRECT:
        try:
            return os.open(path, flags | _DIRECT, 0o666), True
        except OSError as fault:
            if fault.errno != errno.EINVAL:  # a filesystem without it
                raise
    return os.open(path, flags, 0o666), False
