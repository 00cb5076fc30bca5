"""What a loader gives, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Batch", "LoaderStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Images that go through a training step together."""

    images: NDArray[np.uint8] | list[NDArray[np.uint8]] | list[bytes] | list[memoryview]
    """Array of shape (batch, side, side, 3) when resized; else one array per image; else encoded bytes, or views of them."""
    labels: list[str | None]
    """Their labels."""
    image_ids: list[str]
    """Their identifiers."""

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(slots=True, kw_only=True)
class LoaderStats:
    """What the last epoch came to, so far."""

    image_count: int = 0
    """Images given."""
    encoded_bytes: int = 0
    """Their encoded bytes."""
    elapsed_s: float = 0.0
    """From asking for the epoch to the last batch given, the consumer's own time included."""
    stall_s: float = 0.0
    """Of these, spent by the consumer waiting for a batch."""
    first_batch_s: float = 0.0
    """From asking for the epoch to holding its first batch."""

    @property
    def stall_share(self) -> float:
        """Share of the time in which the consumer waited."""
        return self.stall_s / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def images_per_s(self) -> float:
        """Images given per second of the epoch."""
        return self.image_count / self.elapsed_s if self.elapsed_s else 0.0
