"""The training loader, end to end: images a second, encoded bytes a second, time to the first batch, and how long a loop waits.

The consumer takes batches and drops them, or copies each into one array as the way to an accelerator begins. Windows begin
when an epoch is asked for, so start-up is in the rate; batches are finished in order, so what is in flight at a window's end is
at most one image a thread.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from toolkit.measurement.windows import Probe, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolkit.dataset.loader import Batch, Loader
    from toolkit.measurement.subject import Subject

__all__ = ["CachedLoop", "FedLoop", "FirstBatch", "LoaderEpochs"]

_HELD_BATCHES: Final = 4


class LoaderEpochs(Probe):
    """Batches of the loader, epoch after epoch."""

    def __init__(
        self,
        subject: Subject,
        batch_size: int,
        workers: int,
        *,
        decode: bool,
        resize_px: int | None,
        verify: bool | Literal["pages"],
    ) -> None:
        self.subject = subject
        self.mean_image_bytes = subject.mean_image_bytes
        self.loader: Loader = subject.dataset.loader(
            batch_size=batch_size, workers=workers, decode=decode, resize_px=resize_px, verify=verify
        )
        self._epoch = 0
        self._batches: Iterator[Batch] | None = None

    def open(self) -> None:
        """Make the row groups resident."""
        self.subject.warm()

    def prepare(self) -> None:
        """End the epoch of the segment before."""
        self._drop()

    def run(self, deadline_s: float) -> Tally:
        """Take batches until the epoch or the window ends."""
        self._begin()
        assert self._batches is not None
        return self._take(self._batches, deadline_s)

    def consume(self, batch: Batch) -> None:
        """Do with a batch what the loop does: here nothing."""

    def _begin(self) -> None:
        self._epoch += 1
        self.loader.set_epoch(self._epoch)
        self._batches = iter(self.loader)

    def _take(self, batches: Iterable[Batch], deadline_s: float) -> Tally:
        count = images = 0
        payload_bytes = waited_s = 0.0
        asked_s = time.perf_counter()
        for batch in batches:
            waited_s += time.perf_counter() - asked_s
            self.consume(batch)
            count, images = count + 1, images + len(batch)
            payload_bytes += self._payload_bytes(batch)
            asked_s = time.perf_counter()
            if asked_s >= deadline_s:
                break
        return Tally(operations=count, payload_bytes=round(payload_bytes), images=images, waited_s=waited_s)

    def _payload_bytes(self, batch: Batch) -> float:
        if self.loader.decode:
            return len(batch) * self.mean_image_bytes
        return float(sum(len(payload) for payload in batch.images))

    def close(self) -> None:
        """End the epoch, and let go of the shards, so that they can be evicted again."""
        self._drop()
        self.loader.close()

    def _drop(self) -> None:
        if self._batches is not None and hasattr(self._batches, "close"):
            self._batches.close()
        self._batches = None


class FirstBatch(LoaderEpochs):
    """From asking for an epoch to holding its first batch."""

    def run(self, deadline_s: float) -> Tally:  # noqa: ARG002 - one batch is one segment, however long it takes
        """Take one batch of a new epoch."""
        self._begin()
        assert self._batches is not None
        images = len(next(self._batches))
        return Tally(operations=1, payload_bytes=round(images * self.mean_image_bytes), images=images)


class FedLoop(LoaderEpochs):
    """A loop that copies each batch of the loader into an array that is used again, as one that feeds an accelerator does."""

    _room: Any = None

    def consume(self, batch: Batch) -> None:
        """Copy the images of a batch."""
        images: Any = batch.images
        if self._room is None or len(self._room) < len(images):
            self._room = np.empty_like(images)
        np.copyto(self._room[: len(images)], images)


class CachedLoop(FedLoop):
    """The same loop, fed from a few batches that are held in memory: what is left of it when the loader costs nothing."""

    def __init__(self, subject: Subject, batch_size: int, workers: int, resize_px: int) -> None:
        super().__init__(subject, batch_size, workers, decode=True, resize_px=resize_px, verify=False)
        self._held: list[Batch] = []

    def open(self) -> None:
        """Have the batches made, once for all windows, and one of them copied."""
        if not self._held:
            super().open()
            self._held = list(itertools.islice(self.loader, _HELD_BATCHES))
            self.consume(self._held[0])

    def run(self, deadline_s: float) -> Tally:
        """Take batches until the deadline."""
        return self._take(itertools.cycle(self._held), deadline_s)
