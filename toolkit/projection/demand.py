"""What machines ask of storage, and what storage shared among them gives to each: the figures of storage benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.projection.explain import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = ["device_read", "of_members", "per_member", "samples_read", "supplied_rate"]


@formula("bytes_per_s", "bytes of a sample x batch / time of a step")
def device_read(sample_bytes: Draws, batch_count: Draws, step_s: Draws) -> Any:
    """Bytes each second that one device reads to be kept busy.

    Source: mlcommons/storage@caa90c9: a device is its batch and the time it computes on one.

    Examples
    --------
    >>> round(device_read(114_660.0, 400.0, 0.224) / 1e6, 1)
    204.8
    """
    return sample_bytes * batch_count / step_s


@formula("bytes_per_s", "samples each second x bytes of a sample")
def samples_read(rate_images_per_s: Draws, sample_bytes: Draws) -> Any:
    """Bytes each second that a rate of samples reads.  Source: definition."""
    return rate_images_per_s * sample_bytes


@formula("images_per_s", "devices x batch / time of a step x share of the time that they compute")
def supplied_rate(device_count: Draws, batch_count: Draws, step_s: Draws, utilisation_share: Draws) -> Any:
    """Samples each second of devices that wait for storage part of their time.

    Source: mlcommons/storage@caa90c9, accelerator utilisation.

    Examples
    --------
    >>> round(supplied_rate(512.0, 400.0, 0.224, 0.9252), -2)
    845900.0
    """
    return device_count * batch_count / step_s * utilisation_share


@formula("", "whole / members")
def per_member(whole: Draws, member_count: Draws) -> Any:
    """Share of each member in what a system has.  Source: definition."""
    return whole / member_count


@formula("", "members x each")
def of_members(each: Draws, member_count: Draws) -> Any:
    """What members have together.  Source: definition."""
    return each * member_count
