"""Rows in, the images of a batch out: checked and decoded by threads, straight into the batch's array, batches in order.

Decoders, hashes and resizers release the interpreter's lock, so threads use all cores, and no image crosses a pipe between
processes (which limits loaders that fork workers to the pipe's 1 to 2 GB/s).
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.dataset.buffers import Buffers
from toolkit.dataset.decoding import decode_rgb
from toolkit.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

    import numpy as np
    from numpy.typing import NDArray

    from toolkit.dataset.read_ahead import Row
    from toolkit.locations import Location

__all__ = ["Producer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """How images are made of rows.

    Raises
    ------
    DatasetError
        By what it is asked to do, if an image is damaged.
    """

    location: Location
    """Of the dataset, for people."""
    workers: int
    """Threads that check and decode."""
    decode: bool
    """Whether to decode."""
    resize_px: int | None
    """Side of the square to resize to."""
    copy: bool
    """Whether encoded images are given as bytes of their own, not as views."""
    check: bool
    """Whether rows have hashes to be compared."""

    def batches(self, batches: Iterable[list[Row]], batch_size: int, pool: ThreadPoolExecutor) -> Iterator[tuple[list[Row], Any]]:
        """Yield batches with their images, in order; enough of them are under way to keep all threads busy."""
        under_way: deque[tuple[list[Row], Any, list[Future[None]]]] = deque()
        tasks = 2 * self.workers
        depth = 2 + tasks // min(batch_size, tasks)
        buffers = Buffers(depth)
        for rows in batches:
            images = self._room(len(rows), buffers)
            step = -(-len(rows) // tasks)
            starts = range(0, len(rows), step) if self.decode or self.check else ()
            under_way.append((rows, images, [pool.submit(self._produce, rows[at : at + step], images, at) for at in starts]))
            if len(under_way) >= depth:
                yield self._finished(*under_way.popleft())
        while under_way:
            yield self._finished(*under_way.popleft())

    def _room(self, count: int, buffers: Buffers) -> Any:
        if self.decode and self.resize_px is not None:
            shape = (count, self.resize_px, self.resize_px, 3)
            return buffers.take(math.prod(shape)).reshape(shape)
        return [None] * count

    def _produce(self, rows: list[Row], images: Any, first: int) -> None:
        for at, row in enumerate(rows, first):
            if row.sha256 is not None and hashlib.sha256(row.payload).hexdigest() != row.sha256:
                raise DatasetError(f"image {row.image_id} of '{self.location}' is damaged; run: tonnage verify")
            if self.decode:
                images[at] = self._decoded(row)

    def _decoded(self, row: Row) -> NDArray[np.uint8]:
        try:
            return decode_rgb(bytes(row.payload), self.resize_px)
        except (OSError, ValueError) as fault:
            raise DatasetError(f"image {row.image_id} of '{self.location}' cannot be decoded: {fault}") from fault

    def _finished(self, rows: list[Row], images: Any, futures: list[Future[None]]) -> tuple[list[Row], Any]:
        """Wait for a batch; bytes are copied only now, by the thread that wants them: memory of this size is its own to reuse."""
        for future in futures:
            future.result()
        if not self.decode:
            images = [bytes(row.payload) if self.copy else row.payload for row in rows]
        return rows, images
