"""What else storage must do: rebuild lost drives, answer random reads, give checkpoints back, take and hand on curation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.laws import forms
from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["curation_traffic", "random_reads", "read_through", "rebuild", "restore_time", "sequential_reads", "shuffle"]


@formula(
    "bytes_per_s",
    "bytes of a drive x pieces read for each / time to rebuild",
    valid={"drive_bytes": (1e11, 1.5e15, "from a drive of 100 GB to a server of 60 disks")},
)
def rebuild(drive_bytes: Draws, read_piece_count: Draws, rebuild_s: Draws) -> Any:
    """Bytes each second that rebuilding one lost drive reads from the others.

    Source: Reed and Solomon 1960: a lost piece takes k others to compute; a replica takes one.

    Examples
    --------
    >>> round(float(rebuild(7.68e12, 8.0, 86_400.0)) / 1e9, 2)
    0.71
    """
    return drive_bytes * read_piece_count / rebuild_s


@formula("per_s", "samples each second x share not answered by memory")
def random_reads(rate_images_per_s: Draws, hit_share: Draws) -> Any:
    """Reads each second when every sample is fetched on its own.  Source: definition."""
    return rate_images_per_s * (1 - hit_share)


@formula("per_s", "bytes read each second / bytes of a read")
def sequential_reads(read_bytes_per_s: Draws, chunk_bytes: Draws) -> Any:
    """Reads each second when shards are read in large pieces.  Source: definition; row groups of 16 MiB."""
    return read_bytes_per_s / chunk_bytes


@formula("bytes_per_s", "2 x bytes read each second x share that is shuffled through storage")
def shuffle(read_bytes_per_s: Draws, shuffled_share: Draws) -> Any:
    """Bytes each second written and read again to mix samples; none where shards were shuffled when they were packed.

    Source: definition: what is shuffled is written once and read once.
    """
    return 2 * read_bytes_per_s * shuffled_share


@formula("s", "time before the first byte + bytes / rate at which storage reads")
def read_through(size_bytes: Draws, read_bytes_per_s: Draws, begin_s: Draws | float = 0.0) -> Any:
    """Seconds to read shards from end to end once, as an epoch does that waits for storage alone.

    Source: Hockney, "The communication challenge for MPP" (Parallel Computing 20, 1994).

    Examples
    --------
    >>> float(read_through(1e12, 5e9)), float(read_through(1e9, 1e9, 0.5))
    (200.0, 1.5)
    """
    return forms.transfer_s(size_bytes, begin_s, read_bytes_per_s)


@formula("s", "checkpoint bytes / rate at which storage reads")
def restore_time(checkpoint_bytes: Draws, read_bytes_per_s: Draws) -> Any:
    """Seconds to read a checkpoint back after a failure.  Source: definition."""
    return checkpoint_bytes / read_bytes_per_s


@formula("bytes_per_s", "bytes moved / time of the batch")
def curation_traffic(moved_bytes: Draws, elapsed_s: Draws) -> Any:
    """Bytes each second while a batch is curated.  Source: definition."""
    return np.divide(moved_bytes, elapsed_s, out=np.zeros(np.broadcast_shapes(np.shape(moved_bytes), np.shape(elapsed_s))),
                     where=np.asarray(elapsed_s) > 0)  # fmt: skip
