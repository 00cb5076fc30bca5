"""What machines ask of storage, and what storage shared among them gives to each: the figures of storage benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.laws import storage_benchmark
from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["device_read", "of_members", "per_member", "samples_read", "supplied_rate"]


device_read = formula("bytes_per_s", "bytes of a sample x batch / time of a step")(storage_benchmark.device_read)
supplied_rate = formula("images_per_s", "devices x batch / time of a step x share of the time that they compute")(
    storage_benchmark.supplied_rate
)


@formula("bytes_per_s", "samples each second x bytes of a sample")
def samples_read(rate_images_per_s: Draws, sample_bytes: Draws) -> Any:
    """Bytes each second that a rate of samples reads.  Source: definition."""
    return rate_images_per_s * sample_bytes


@formula("", "whole / members")
def per_member(whole: Draws, member_count: Draws) -> Any:
    """Share of each member in what a system has.  Source: definition."""
    return whole / member_count


@formula("", "members x each")
def of_members(each: Draws, member_count: Draws) -> Any:
    """What members have together.  Source: definition."""
    return each * member_count
