"""Stretches of a shard brought into memory: mapped and made resident where the system can, read into a buffer elsewhere.

A map costs no memory beside the page cache and no copy. Its danger is a device that fails under it: the process would be
killed at the first touch. Pages are therefore made resident by a call that reports such a failure (``MADV_POPULATE_READ``,
Linux 5.14), which also waits for the device, so that who looks at the bytes does not.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.dataset.object_paths import ObjectPath

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ResidentShard"]

_POPULATE_READ: Final = 22
"""Source: Linux, ``include/uapi/asm-generic/mman-common.h``."""


class ResidentShard:
    """A shard of which stretches are looked at; it is closed when nobody holds this, nor a view of it, any more.

    Parameters
    ----------
    path : Path or ObjectPath
        The shard; of one in an object store, each stretch is one request.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path | ObjectPath) -> None:
        self._path = path
        self._seen: set[tuple[int, int]] = set()
        self._map: mmap.mmap | None = None
        self._address = 0
        if sys.platform == "linux" and not isinstance(path, ObjectPath):
            with path.open("rb", buffering=0) as file:
                try:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except (OSError, ValueError):  # a filesystem without maps; an empty file
                    return
            self._address = np.frombuffer(self._map, dtype=np.uint8).ctypes.data

    def view(self, place: int, size_bytes: int) -> memoryview | None:
        """Return a read-only view of a stretch, or None if the file ends before it does.

        Raises
        ------
        OSError
            If the device fails.
        """
        if self._map is not None and place + size_bytes <= len(self._map) and self._is_resident(place, size_bytes):
            return memoryview(self._map)[place : place + size_bytes]
        if isinstance(self._path, ObjectPath):
            found = self._path.read_range(place, size_bytes)
            return memoryview(found) if len(found) == size_bytes else None
        with self._path.open("rb", buffering=0) as file:
            return _read(file.fileno(), place, size_bytes)

    def _is_resident(self, place: int, size_bytes: int) -> bool:
        """Make a stretch resident, once; what the system takes away later it brings back itself."""
        if (place, size_bytes) in self._seen:
            return True
        first = place - place % mmap.PAGESIZE
        if _madvise()(self._address + first, place + size_bytes - first, _POPULATE_READ) != 0:
            failure = ctypes.get_errno()
            if failure == errno.EINVAL:  # an older kernel
                return False
            raise OSError(failure, f"the device failed under a map: {os.strerror(failure)}")
        self._seen.add((place, size_bytes))
        return True

    def ask_ahead(self, place: int, size_bytes: int) -> None:
        """Ask the system to begin reading a stretch, if it can be asked: its own read-ahead is a hundredth of a row group.

        What is in memory already is not asked for, as walking its pages takes a tenth of the time of reading them.
        """
        fadvise: Any = getattr(os, "posix_fadvise", None)
        if fadvise is None or isinstance(self._path, ObjectPath):
            return
        with self._path.open("rb", buffering=0) as file:
            probes = (place, place + size_bytes // 2, place + size_bytes - 1)
            if not all(_is_cached(file.fileno(), probe) for probe in probes):
                fadvise(file.fileno(), place, size_bytes, os.POSIX_FADV_WILLNEED)


@cache
def _madvise() -> Any:
    """Return the system's call, by ctypes: that of ``mmap`` keeps the interpreter's lock while the device is waited for."""
    call = ctypes.CDLL(None, use_errno=True).madvise
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return call


def _read(descriptor: int, place: int, size_bytes: int) -> memoryview | None:
    whole = memoryview(bytearray(size_bytes))
    filled = 0
    while filled < size_bytes:
        got = os.preadv(descriptor, [whole[filled:]], place + filled)
        if got == 0:
            return None
        filled += got
    return whole.toreadonly()


def _is_cached(descriptor: int, place: int) -> bool:
    """Return whether a byte of a file can be had without waiting for a device; False where the system does not say."""
    try:
        return os.preadv(descriptor, [bytearray(1)], place, os.RWF_NOWAIT) == 1
    except (OSError, AttributeError):
        return False
