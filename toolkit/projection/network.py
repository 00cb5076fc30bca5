"""What travels between machines: gradients, epochs, whole datasets; and what a step waits for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.laws import forms
from toolkit.projection.explain import formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

__all__ = [
    "all_gather_bytes",
    "allreduce_bytes",
    "allreduce_time",
    "exposed_time",
    "ingest_images",
    "node_allreduce_time",
    "step_time",
    "transfer_time",
]


@formula("bytes", "2 (n - 1) / n x gradient bytes", valid={"member_count": (1, math.inf, "one member sends nothing")})
def allreduce_bytes(member_count: Draws, gradient_bytes: Draws) -> Any:
    """Bytes that each member of a ring sends to add up gradients once.

    Source: Patarasuk and Yuan 2009, doi 10.1016/j.jpdc.2008.09.002; nccl-tests, PERFORMANCE.md.

    Examples
    --------
    >>> float(allreduce_bytes(np.array(8.0), np.array(100e6)))
    175000000.0
    >>> float(allreduce_bytes(np.array(1.0), np.array(100e6)))
    0.0
    """
    count = np.maximum(member_count, 1)
    return 2 * (count - 1) / count * gradient_bytes


@formula("bytes", "(n - 1) / n x bytes", valid={"member_count": (1, math.inf, "one member sends nothing")})
def all_gather_bytes(member_count: Draws, whole_bytes: Draws) -> Any:
    """Bytes that each member sends in an all-gather or a reduce-scatter.  Source: nccl-tests, PERFORMANCE.md."""
    count = np.maximum(member_count, 1)
    return (count - 1) / count * whole_bytes


@formula(
    "s",
    "2 (n - 1) x latency + 2 (n - 1) / n x gradient bytes / link rate",
    valid={"member_count": (1, math.inf, "one member sends nothing")},
)
def allreduce_time(member_count: Draws, gradient_bytes: Draws, link_bytes_per_s: Draws, latency_s: Draws) -> Any:
    """Seconds of one ring all-reduce.

    Source: alpha-beta model, Thakur, Rabenseifner and Gropp 2005, doi 10.1177/1094342005051521.

    Examples
    --------
    >>> float(allreduce_time(np.array(2.0), np.array(50e6), np.array(12.5e9), np.array(0.0)))
    0.004
    """
    count = np.maximum(member_count, 1)
    return 2 * (count - 1) * latency_s + allreduce_bytes(count, gradient_bytes) / link_bytes_per_s


@formula("s", "time on the network - share of the backward pass that hides it x 2/3 of the step, at least 0")
def exposed_time(network_s: Draws, step_s: Draws, overlap_share: Draws) -> Any:
    """Seconds of a step that wait for the network; the backward pass is two thirds of a step.

    Source: gradients of later layers travel while earlier ones are computed (Li et al. 2020, arXiv 2006.15704).

    Examples
    --------
    >>> float(exposed_time(0.5, 0.3, 0.5)), float(exposed_time(0.05, 0.3, 0.5))
    (0.4, 0.0)
    """
    return np.maximum(0.0, network_s - overlap_share * step_s * 2 / 3)


@formula("s", "batch / samples each second of a device")
def step_time(batch_images: Draws, rate_images_per_s: Draws) -> Any:
    """Seconds that a device computes on its batch.  Source: definition."""
    return batch_images / rate_images_per_s


@formula(
    "s",
    "2 (n - 1) x latency + 2 (n - 1) / n x gradient bytes / link rate, n nodes; 0 on one node",
    valid={"node_count": (1, math.inf, "one node sends nothing")},
)
def node_allreduce_time(
    node_count: Draws, param_count: Draws, gradient_bytes: Draws, link_bytes_per_s: Draws, latency_s: Draws
) -> Any:
    """Seconds of the all-reduce between nodes; inside a node the devices' own links are ten times as fast.

    Source: hierarchical ring; alpha-beta model, Thakur, Rabenseifner and Gropp 2005.
    """
    return allreduce_time(node_count, param_count * gradient_bytes, link_bytes_per_s, latency_s)


@formula("s", "latency + bytes / (link rate x share that payload gets)")
def transfer_time(size_bytes: Draws, link_bytes_per_s: Draws, payload_share: Draws, latency_s: Draws | float = 0.0) -> Any:
    """Seconds to move bytes over a link.

    Source: Hockney, "The communication challenge for MPP" (Parallel Computing 20, 1994).

    Examples
    --------
    >>> round(float(transfer_time(np.array(100e12), np.array(1.25e9), np.array(1.0))) / 3600, 1)
    22.2
    """
    return forms.transfer_s(size_bytes, latency_s, link_bytes_per_s * payload_share)


@formula("s", "images / images that come in each second")
def ingest_images(image_count: Draws, images_per_s: Draws) -> Any:
    """Seconds to bring images in at a rate.

    Source: definition.

    Examples
    --------
    >>> round(float(ingest_images(np.array(413e6), np.array(1300.0))) / 86_400, 2)
    3.68
    """
    return image_count / images_per_s
