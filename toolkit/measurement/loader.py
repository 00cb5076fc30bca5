"""The training loader, end to end: images a second, encoded bytes a second, time to the first batch.

The consumer takes batches and drops them. Windows begin when an epoch is asked for, so start-up is in the rate; batches
are finished in order, so what is in flight at a window's end is at most one image a thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from toolkit.measurement.windows import Probe, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolkit.dataset.loader import Batch, Loader
    from toolkit.measurement.subject import Subject

__all__ = ["FirstBatch", "LoaderEpochs"]


class LoaderEpochs(Probe):
    """Batches of the loader, epoch after epoch."""

    def __init__(
        self, subject: Subject, batch_size: int, workers: int, *, decode: bool, resize_px: int | None, verify: bool
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
        self._epoch += 1
        self.loader.set_epoch(self._epoch)
        self._batches = iter(self.loader)
        count = images = 0
        payload_bytes = 0.0
        for batch in self._batches:
            count, images = count + 1, images + len(batch)
            payload_bytes += self._payload_bytes(batch)
            if time.perf_counter() >= deadline_s:
                break
        return Tally(operations=count, payload_bytes=round(payload_bytes), images=images)

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
        self._epoch += 1
        self.loader.set_epoch(self._epoch)
        self._batches = iter(self.loader)
        images = len(next(iter(self._batches)))
        return Tally(operations=1, payload_bytes=round(images * self.mean_image_bytes), images=images)
