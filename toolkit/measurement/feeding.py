"""Steps for a paced consumer: what the loader gives, epoch after epoch, gathered into batches that are made ahead.

A batch is so many images, or so many bytes where the benchmark's sample is no image. Two batches are made ahead, as the
benchmark does; each is held until it is consumed.
"""

from __future__ import annotations

import itertools
import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from toolkit.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.dataset.loader import Batch, Loader

__all__ = ["AHEAD_COUNT", "HELD_BYTES", "Feed"]

AHEAD_COUNT: Final = 2
"""Batches made ahead. Source: DLIO's ``prefetch_size``, 2 unless a workload says otherwise (utils/config.py)."""

HELD_BYTES: Final = 256 * MIB
"""A batch of bytes that is larger is not held: what was read of it is let go."""
_POLL_S: Final = 0.05


class Feed:
    """Batches of a loader for one consumer, made by a thread of their own.

    Parameters
    ----------
    loader : Loader
        What is read; epochs follow each other without end.
    amount : float
        Images, or bytes, of a batch.
    size_of : callable
        What a batch of the loader amounts to, in images or in bytes.
    step_count : int
        Batches to make in all.
    """

    def __init__(self, loader: Loader, amount: float, size_of: Callable[[Batch], float], step_count: int) -> None:
        self.image_count = 0
        self.loader = loader
        self.amount = amount
        self.size_of = size_of
        self.step_count = step_count
        self._made: queue.Queue[Any] = queue.Queue(maxsize=AHEAD_COUNT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._make, name="tonnage-feed", daemon=True)

    def __enter__(self) -> Iterator[object]:
        """Begin to make batches, and return them one by one."""
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        """Stop making batches, and let go of the shards, so that the next trial can have them evicted."""
        self._stop.set()
        self._thread.join()
        self.loader.close()

    def _taken(self) -> Iterator[object]:
        while True:
            made = self._made.get()
            if isinstance(made, BaseException):
                raise made
            yield made

    def _make(self) -> None:
        try:
            batches = self._batches()
            left = 0.0
            for _ in range(self.step_count):
                held: list[Any] = []
                left += self.amount
                while left > 0 and not self._stop.is_set():
                    batch = next(batches)
                    left -= self.size_of(batch)
                    self.image_count += len(batch)
                    if self.amount <= HELD_BYTES:
                        held.append(batch.images)
                if not self._put(held):
                    break
            batches.close()
        except BaseException as fault:  # noqa: BLE001 -- raised again by the consumer
            self._put(fault)

    def _batches(self) -> Any:
        for epoch in itertools.count():
            self.loader.set_epoch(epoch)
            yield from self.loader

    def _put(self, made: object) -> bool:
        while not self._stop.is_set():
            try:
                self._made.put(made, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
