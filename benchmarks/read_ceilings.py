"""What reading and decoding could come to at best on this machine, taken beside the contestants and in the same way."""

from __future__ import annotations

import hashlib
import mmap
import os
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg

from benchmarks.read_contestants import SIDE_PX, WORKERS, by_tonnage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

CHUNK_BYTES = 256 << 10
DEVICE_SWEEP = ((1 << 20, 8), (4 << 20, 4), (4 << 20, 16))
"""Transfer sizes and depths: the best of them is the ceiling."""


def mapped_sum(paths: Sequence[Path]) -> int:
    """Sum the mapped bytes of files once, eight at a time, by NumPy; return how many they are."""
    return sum(len(view) for view in _maps(paths) if np.frombuffer(view, np.uint64, len(view) // 8).sum() >= 0)


def checked(paths: Sequence[Path], check: Callable[[Any], object]) -> int:
    """Run a checksum over the mapped bytes of files; return how many they are."""
    return sum(len(view) for view in _maps(paths) if check(view) is not None)


def _maps(paths: Sequence[Path]) -> Iterator[mmap.mmap]:
    for path in paths:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            yield view


def read_through(paths: Sequence[Path]) -> int:
    """Read files into one buffer, which stays in the processor's cache; return their bytes."""
    buffer = bytearray(CHUNK_BYTES)
    total = 0
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while got := file.readinto(buffer):
                total += got
    return total


def read_at(places: Sequence[tuple[Path, int, int]], *, check: bool) -> int:
    """Read ranges of files that are held open, by one ``pread`` each; return their bytes."""
    held = {path: os.open(path, os.O_RDONLY) for path in {path for path, _, _ in places}}
    total = 0
    for path, place, size in places:
        payload = os.pread(held[path], size, place)
        total += len(payload)
        if check:
            hashlib.sha256(payload).hexdigest()
    for descriptor in held.values():
        os.close(descriptor)
    return total


def read_direct(paths: Sequence[Path], size_bytes: int, depth: int) -> int:
    """Read files past the page cache, several transfers at a time; return their bytes."""
    tasks = []
    held = []
    for path in paths:
        held.append(os.open(path, os.O_RDONLY | os.O_DIRECT))
        tasks += [(held[-1], place) for place in range(0, path.stat().st_size, size_bytes)]
    todo = iter(tasks)

    def work(_: int) -> int:
        total = 0
        with mmap.mmap(-1, size_bytes) as buffer:
            for descriptor, place in todo:  # one at a time takes from a list's iterator: the interpreter's lock sees to it
                total += os.preadv(descriptor, [buffer], place)
        return total

    with ThreadPoolExecutor(depth) as pool:
        total = sum(pool.map(work, range(depth)))
    for descriptor in held:
        os.close(descriptor)
    return total


def by_opencv(payload: bytes, min_factor: int) -> Any:
    """Return a decoded square by the decoder that was found the fastest: libjpeg-turbo, and OpenCV's bilinear resize."""
    import cv2

    pixels = simplejpeg.decode_jpeg(payload, min_height=SIDE_PX, min_width=SIDE_PX, min_factor=min_factor)
    edge = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - edge) // 2, (pixels.shape[1] - edge) // 2
    return cv2.resize(pixels[top : top + edge, left : left + edge], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)


def decoders() -> dict[str, Callable[[bytes], Any]]:
    """Return the bare decoders that are compared, by name."""
    found: dict[str, Callable[[bytes], Any]] = {"decoder of the loader, from memory": by_tonnage}
    try:
        import cv2
    except ImportError:
        return found
    cv2.setNumThreads(0)
    return found | {
        "simplejpeg full, OpenCV bilinear": partial(by_opencv, min_factor=16),
        "simplejpeg scaled, OpenCV bilinear": partial(by_opencv, min_factor=2),
    }


def decode_all(payloads: Sequence[bytes], decode: Callable[[bytes], Any]) -> float:
    """Decode images in memory by a thread per core; return the seconds it takes."""
    started_s = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(decode, payloads, chunksize=16):
            pass
    return time.perf_counter() - started_s


def crc32(view: Any) -> int:
    """Return the checksum that Parquet's pages carry."""
    return zlib.crc32(view)


def sha256(view: Any) -> bytes:
    """Return the hash that each image is stored with."""
    return hashlib.sha256(view).digest()
